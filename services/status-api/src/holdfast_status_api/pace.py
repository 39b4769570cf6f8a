"""How soon it is worth while to ask again, learned from how long things take."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_status_api.index import Run
from holdfast_status_api.states import State
from holdfast_status_api.tables import attempts

#: What is advised at most: an event can come at any time.
LONGEST_SECONDS = 30
_LEARN_EVERY_SECONDS = 10.0
#: The attempts that are learned from, newest first.
_SAMPLE = 2000
#: What is assumed of a step that was never measured.
_UNKNOWN_SECONDS = 1.0


class Pace:
    """The usual duration of each step, by the ledger's word. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._steps: dict[str, float] = {}
        self._learned_at = -math.inf

    def retry_after(self, run: Run) -> int:
        """Return in how many seconds the run is likely to be further than now, one at least.

        That is when it starts, or its next timer is due, or its slowest step is usually over.
        """
        moment = run.wakes_at
        if run.state is State.PENDING and run.start_at is not None:
            moment = run.start_at
        return self._until(moment, run.workflow)

    def first_look(self, workflow: str, start_at: datetime | None = None) -> int:
        """Return in how many seconds a run that was accepted now is likely to be further."""
        return self._until(start_at, workflow)

    def step_seconds(self, workflow: str) -> float:
        """Return how long the slowest step of a workflow usually takes."""
        steps = self._known()
        flow = WORKFLOWS.get(workflow)
        names = () if flow is None else (activity.name for activity in flow.activities)
        return max((steps[name] for name in names if name in steps), default=_UNKNOWN_SECONDS)

    def _until(self, moment: datetime | None, workflow: str) -> int:
        left = None if moment is None else (moment - datetime.now(UTC)).total_seconds()
        return _whole(left if left is not None and left > 0 else self.step_seconds(workflow))

    def _known(self) -> dict[str, float]:
        with self._lock:
            if time.monotonic() - self._learned_at > _LEARN_EVERY_SECONDS:
                self._learned_at = time.monotonic()
                self._steps = self._learn()
            return self._steps

    def _learn(self) -> dict[str, float]:
        newest = (
            select(attempts.c.step, attempts.c.started_at, attempts.c.finished_at)
            .where(attempts.c.outcome == "committed")
            .order_by(attempts.c.id.desc())
            .limit(_SAMPLE)
            .subquery()
        )
        seconds = func.extract("epoch", newest.c.finished_at - newest.c.started_at)
        middle = func.percentile_cont(0.5).within_group(seconds)
        with self._engine.connect() as connection:
            rows = connection.execute(select(newest.c.step, middle).group_by(newest.c.step)).all()
        return {step: float(duration) for step, duration in rows}


def _whole(seconds: float) -> int:
    return max(1, min(LONGEST_SECONDS, math.ceil(seconds)))
