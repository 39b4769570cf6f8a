"""What a serving process does besides answering: dispatch, and keep the index current."""

from __future__ import annotations

import uuid

from sqlalchemy import Engine

from holdfast_status_api.commands import Commands
from holdfast_status_api.dispatcher import Dispatcher
from holdfast_status_api.housekeeping import Housekeeper
from holdfast_status_api.index import RunIndex
from holdfast_status_api.looking import Looks
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.outbox import Events, Starts
from holdfast_status_api.refresher import Refresher
from holdfast_status_api.settings import Settings
from holdfast_status_api.watching import Watches
from holdfast_status_api.webhooks import couriers


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
        index = RunIndex(engine)
        self.looks = Looks(index, orchestrator)
        self.watches = Watches(index, self.looks, settings.held_requests)
        refresher = Refresher(index, orchestrator, (starts, events))
        to_engine = Dispatcher(Commands(engine, owner), orchestrator, concurrency)
        housekeeper = Housekeeper(settings, engine, orchestrator)
        self._command_accepted = to_engine.wake
        courier = couriers.make(settings, engine, owner)
        self._parts = (*self._dispatchers, to_engine, refresher, housekeeper, self.watches, courier)

    def start(self) -> None:
        """Start all threads."""
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        """Let what is under way end, give back what was claimed, and return within a bound."""
        for part in self._parts:
            part.stop()

    def run_accepted(self) -> None:
        """Dispatch a start now instead of at the next poll."""
        self._dispatchers[0].wake()

    def event_accepted(self) -> None:
        """Deliver an event now instead of at the next poll."""
        self._dispatchers[1].wake()

    def command_accepted(self) -> None:
        """Tell the engine now instead of at the next poll."""
        self._command_accepted()

    def dead(self) -> str | None:
        """Say which thread has ended, or return ``None``."""
        for part in self._parts:
            if why := part.dead():
                return why
        return None
