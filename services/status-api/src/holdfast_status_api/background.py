"""What a serving process does besides answering: dispatch, and keep the index current."""

from __future__ import annotations

import uuid

from sqlalchemy import Engine

from holdfast_status_api.dispatcher import Dispatcher
from holdfast_status_api.index import RunIndex
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.outbox import Events, Starts
from holdfast_status_api.refresher import Refresher
from holdfast_status_api.settings import Settings


class Background:
    """The threads of one serving process. Make and start it after the fork."""

    def __init__(self, settings: Settings, engine: Engine, orchestrator: Orchestrator) -> None:
        # A process id comes again; the owner of a claim must not.
        owner = f"{settings.process_name}/{uuid.uuid4().hex}"
        starts, events = Starts(engine, owner), Events(engine, owner)
        concurrency = settings.dispatch_concurrency
        to_runs = Dispatcher(events, orchestrator, concurrency)
        # What waits for a run can go when the run was started.
        self._dispatchers = (
            Dispatcher(starts, orchestrator, concurrency, arrived=to_runs.wake),
            to_runs,
        )
        self._refresher = Refresher(RunIndex(engine), orchestrator, (starts, events))

    def start(self) -> None:
        """Start all threads."""
        for part in (*self._dispatchers, self._refresher):
            part.start()

    def stop(self) -> None:
        """Let what is under way end, give back what was claimed, and return within a bound."""
        for part in (*self._dispatchers, self._refresher):
            part.stop()

    def run_accepted(self) -> None:
        """Dispatch a start now instead of at the next poll."""
        self._dispatchers[0].wake()

    def event_accepted(self) -> None:
        """Deliver an event now instead of at the next poll."""
        self._dispatchers[1].wake()

    def dead(self) -> str | None:
        """Say which thread has ended, or return ``None``."""
        for part in (*self._dispatchers, self._refresher):
            if why := part.dead():
                return why
        return None
