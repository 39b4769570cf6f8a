"""Look at a run: from the index if that is enough, else from the engine, one read at a time."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus

from holdfast_contracts.core import INSTANCE_ID_PATTERN
from holdfast_servicekit.problems import Problem
from holdfast_status_api.index import Run, RunIndex
from holdfast_status_api.orchestrator import Orchestrator, UnavailableError

_POSSIBLE = re.compile(INSTANCE_ID_PATTERN)


@dataclass(frozen=True)
class Seen:
    """A run, and whether the engine could not be asked about it."""

    run: Run
    stale: bool = False


class Looks:
    """Reads of runs that everybody shares: in this process by waiting, beyond it by the index."""

    def __init__(self, index: RunIndex, orchestrator: Orchestrator) -> None:
        self._index = index
        self._orchestrator = orchestrator
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Seen]] = {}

    def look(self, instance_id: str) -> Seen:
        """Return the run as of now; raises the 404 or 410 if there is none.

        However many ask at once, the engine is asked once: those of this process wait for the
        answer, those of another get what the index has, which is a moment old.
        """
        run = known_run(self._index, instance_id)
        if run.state.terminal or run.fresh or not run.dispatched:
            return Seen(run)
        with self._lock:
            flight = self._under_way.get(instance_id)
            leads = flight is None
            if flight is None:
                flight = self._under_way[instance_id] = Future()
        if not leads:
            return flight.result()
        try:
            seen = self._ask(run)
            flight.set_result(seen)
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[instance_id]
        return seen

    def _ask(self, run: Run) -> Seen:
        if not self._index.may_ask(run.instance_id):
            return Seen(run)
        try:
            report = self._orchestrator.run(run.instance_id)
        except UnavailableError:
            self._index.asked(run.instance_id)
            return Seen(run, stale=True)
        # What others wrote in the meantime counts, too: the answer is what the index has now.
        known = None if report is None else self._index.absorb(report)
        if known is None or not known.fresh:
            self._index.asked(run.instance_id)
        return Seen(known or run)


def known_run(index: RunIndex, instance_id: str) -> Run:
    """Return the run as the index has it, or raise a 404, or a 410 once it was purged."""
    run = index.find(instance_id) if _POSSIBLE.fullmatch(instance_id) else None
    if run is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "No such run", "No run of this instance ID was ever accepted."
        )
    if run.purged:
        raise Problem(
            HTTPStatus.GONE,
            "The run was purged",
            "It has ended, and what was known of it was deleted. Its ID is not given again.",
        )
    return run
