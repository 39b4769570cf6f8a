"""A watched run is asked for seldom while it goes on, and at once when the ledger closes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from holdfast_status_api.index import Run, RunIndex
from holdfast_status_api.looking import Looks, Seen
from holdfast_status_api.states import State
from holdfast_status_api.watching import Watches

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUNNING = Seen(
    Run(
        instance_id="run",
        workflow="task_chain",
        state=State.RUNNING,
        input=1,
        output=None,
        custom_status=None,
        failure=None,
        accepted_at=NOW,
        started_at=NOW,
        updated_at=NOW,
        finished_at=None,
        start_at=None,
        deadline=None,
        rerun_of=None,
        requested_by=None,
        reason=None,
        origin="api",
        wakes_at=None,
        purged=False,
        dispatched=True,
        fresh=False,
    )
)
ENDED = replace(RUNNING, run=replace(RUNNING.run, state=State.COMPLETED))


class Service:
    """The ledger and the engine, as a watch sees them."""

    def __init__(self) -> None:
        self.looks = 0
        self.seen = RUNNING
        self.closed_runs: set[str] = set()

    def closed(self, instance_ids: Collection[str]) -> set[str]:
        return self.closed_runs & set(instance_ids)

    def look(self, _instance_id: str) -> Seen:
        self.looks += 1
        return self.seen


@contextmanager
def watching(service: Service) -> Iterator[Watches]:
    watches = Watches(cast("RunIndex", service), cast("Looks", service), most=4)
    watches.start()
    try:
        yield watches
    finally:
        watches.stop()


def test_the_end_is_seen_at_once_when_the_ledger_has_closed_the_run() -> None:
    service = Service()
    with watching(service) as watches, watches.watch("run", RUNNING) as watch:
        # Nothing but the ledger says so: the next look of its own is a quarter of a second away.
        service.seen, service.closed_runs = ENDED, {"run"}
        seen = watch.next(RUNNING, 0.2)
    assert seen is not None
    assert seen.run.state is State.COMPLETED


def test_a_run_that_goes_on_is_asked_for_seldom() -> None:
    service = Service()
    with watching(service) as watches, watches.watch("run", RUNNING) as watch:
        assert watch.next(RUNNING, 1.0) is None
    assert 1 <= service.looks <= 4


def test_a_change_that_the_ledger_does_not_know_of_is_seen_all_the_same() -> None:
    service = Service()
    changed = replace(RUNNING, run=replace(RUNNING.run, custom_status="waiting for human_approval"))
    with watching(service) as watches, watches.watch("run", RUNNING) as watch:
        service.seen = changed
        seen = watch.next(RUNNING, 5.0)
    assert seen is not None
    assert seen.run.custom_status == changed.run.custom_status
