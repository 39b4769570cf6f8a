"""Keep the run index current for runs that nobody asks for."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from holdfast_servicekit.lasting import Lasting
from holdfast_status_api.index import Run, RunIndex
from holdfast_status_api.orchestrator import (
    MissingError,
    Orchestrator,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from holdfast_status_api.outbox import Events, Outbox
from holdfast_status_api.states import State
from holdfast_status_api.why import next_timer

#: The engine is asked for at most this many runs in each tick: reads load a whole history.
_RUNS_PER_TICK = 20
_TICK_SECONDS = 0.5
_AWAY_SECONDS = 2.0
#: A run that did not change for so long is taken to wait for a timer; its history tells.
_WAITS_FOR = timedelta(seconds=1)
#: A run that did not begin, or has not changed for so long and waits for no timer, may have lost
#: what begins it or its children; the longer it runs the more seldom that is looked after.
_BEGINS_WITHIN = timedelta(seconds=15)
_SURVEY_EVERY_TICKS = 10

_log = structlog.get_logger()


class Refresher(Lasting):
    """A thread that looks at running runs, at a bounded rate, and writes what it sees."""

    def __init__(
        self, index: RunIndex, orchestrator: Orchestrator, outboxes: tuple[Outbox, Events]
    ) -> None:
        super().__init__("refresh-index", "the refresher of the run index")
        self._index = index
        self._orchestrator = orchestrator
        self._outboxes = outboxes

    def _run(self) -> None:
        tick = 0
        pause = 0.0
        while not self._stop.wait(pause):
            pause = _TICK_SECONDS
            try:
                if tick % _SURVEY_EVERY_TICKS == 0:
                    self._index.hasten_closed()
                tick += 1
                self._look()
                self._outboxes[1].expire_finished()
            except (UnavailableError, RefusedError):
                pause = _AWAY_SECONDS
            except SQLAlchemyError as error:
                _log.warning("the index cannot be refreshed", error=str(error))
                pause = _AWAY_SECONDS
            except Exception:  # noqa: BLE001 - logged with its trace
                # One run that cannot be read must not stop the look at all others.
                _log.exception("the index was not refreshed")

    def _look(self) -> None:
        for instance_id in self._index.due(_RUNS_PER_TICK):
            if self._stop.is_set():
                return
            # One that cannot be read keeps no other from being looked at.
            with suppress(UnreadableError):
                self._refresh(instance_id)

    def _refresh(self, instance_id: str) -> None:
        report = self._orchestrator.run(instance_id)
        run = None if report is None else self._index.absorb(report)
        if run is not None and not self._note_timer(run):
            self._wake(run)

    def _note_timer(self, run: Run) -> bool:
        """Tell whether a run waits for a timer, and find out when the next is due if it may."""
        if run.state is not State.RUNNING or run.wakes_at is not None:
            return run.wakes_at is not None
        if _age(run) < _WAITS_FOR:
            return False
        try:
            due = next_timer(self._orchestrator.history(run.instance_id))
        except MissingError:
            return False
        if due is not None:
            self._index.note_timer(run.instance_id, run.updated_at, due)
        return due is not None

    def _wake(self, run: Run) -> None:
        """Begin what lost the reminder that begins it: hazard 11 of docs/hazards.md."""
        if run.state not in {State.PENDING, State.RUNNING} or _age(run) < _BEGINS_WITHIN:
            return
        woken = self._orchestrator.wake(run.instance_id)
        if woken:
            _log.warning("what never began was woken", instance_id=run.instance_id, woken=woken)


def _age(run: Run) -> timedelta:
    return datetime.now(UTC) - run.updated_at
