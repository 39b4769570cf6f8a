"""Who may work on an accepted row, when several dispatchers look at one database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, func, select, text, update

from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.core import CANCEL, RESUME, SUSPEND
from holdfast_contracts.task_chain import TASK_CHAIN
from holdfast_status_api.acceptance import accept_run
from holdfast_status_api.forgettable import FORGETTABLE
from holdfast_status_api.index import RunIndex
from holdfast_status_api.orchestrator import EngineRun
from holdfast_status_api.outbox import Events, Starts
from holdfast_status_api.receipts import accept_event
from holdfast_status_api.states import State
from holdfast_status_api.tables import runs
from tests.support.examples import TRIP
from tests.support.postgres import Database
from tests.support.waiting import eventually


@pytest.fixture
def outbox(quiet_database: Database) -> Iterator[Engine]:
    """Give the API's own view of a database in which nothing waits."""
    owner = create_engine(quiet_database.url("postgres"))
    with owner.begin() as connection:
        connection.execute(text("TRUNCATE status.events, status.runs, status.requests CASCADE"))
    owner.dispose()
    engine = create_engine(quiet_database.url("status"))
    yield engine
    engine.dispose()


def accept(engine: Engine) -> str:
    run = accept_run(engine, TASK_CHAIN, 1, instance_id=None, idempotency_key=None)
    return run.instance_id


def dispatched_trip(engine: Engine) -> str:
    run = accept_run(engine, BOOK_TRIP, TRIP, instance_id=None, idempotency_key=None)
    starts = Starts(engine, "starter")
    for claim in starts.claim(100):
        starts.done(claim)
    return run.instance_id


def end_leases(engine: Engine, table: str) -> None:
    """Let the time pass after which a silent dispatcher loses its rows."""
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE status.{table} SET next_attempt_at = clock_timestamp()")  # noqa: S608
        )


def put_off(engine: Engine, by: str) -> None:
    """Move the next look at every run, by a time that has passed or is to come."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE status.runs SET next_look_at = next_look_at - CAST(:by AS interval)"),
            {"by": by},
        )


def report(instance_id: str, status: str, minute: int, output: object = None) -> EngineRun:
    return EngineRun.model_validate(
        {
            "instance_id": instance_id,
            "workflow": TASK_CHAIN.name,
            "status": status,
            "created_at": "2030-01-01T00:00:00Z",
            "updated_at": f"2030-01-01T00:{minute:02}:00Z",
            "output": output,
        }
    )


def test_two_dispatchers_never_hold_the_same_row(outbox: Engine) -> None:
    accepted = {accept(outbox) for _ in range(20)}
    one, other = Starts(outbox, "one"), Starts(outbox, "other")
    held = [claim.id for _ in range(10) for box in (one, other) for claim in box.claim(2)]
    assert len(held) == 20
    assert set(held) == accepted
    assert one.claim(10) == []


def test_rows_of_a_dispatcher_that_died_are_taken_over_with_the_attempt_counted(
    outbox: Engine,
) -> None:
    run = accept(outbox)
    (claim,) = Starts(outbox, "dead").claim(10)
    assert (claim.id, claim.attempts_before) == (run, 0)
    heir = Starts(outbox, "heir")
    (taken,) = eventually("the lease has ended", lambda: heir.claim(10), seconds=8)
    assert (taken.id, taken.attempts_before) == (run, 1)


def test_a_dispatcher_that_renews_keeps_its_rows(outbox: Engine) -> None:
    kept, dropped = accept(outbox), accept(outbox)
    holder = Starts(outbox, "holder")
    assert {claim.id for claim in holder.claim(10)} == {kept, dropped}
    end_leases(outbox, "requests")
    assert holder.renew([kept]) == [kept]
    assert [claim.id for claim in Starts(outbox, "other").claim(10)] == [dropped]


def test_rows_that_are_given_back_are_taken_at_once(outbox: Engine) -> None:
    accept(outbox)
    leaving = Starts(outbox, "leaving")
    leaving.claim(10)
    leaving.release()
    assert len(Starts(outbox, "other").claim(10)) == 1


def test_a_row_that_failed_waits_and_comes_again(outbox: Engine) -> None:
    run = accept(outbox)
    box = Starts(outbox, "one")
    (claim,) = box.claim(10)
    box.put_off(claim, "the orchestrator is away")
    assert box.claim(10) == []
    (again,) = eventually("the row is due again", lambda: box.claim(10), seconds=5)
    assert (again.id, again.attempts_before) == (run, 1)
    assert box.backlog().depth == 1


def test_a_row_that_arrived_never_comes_again(outbox: Engine) -> None:
    accept(outbox)
    box = Starts(outbox, "one")
    (claim,) = box.claim(10)
    box.done(claim)
    end_leases(outbox, "requests")
    assert box.claim(10) == []
    assert box.backlog().depth == 0


def test_an_attempt_that_comes_late_does_not_undo_what_its_successor_did(outbox: Engine) -> None:
    accept(outbox)
    frozen, heir = Starts(outbox, "frozen"), Starts(outbox, "heir")
    (late,) = frozen.claim(10)
    end_leases(outbox, "requests")
    (taken,) = heir.claim(10)
    assert frozen.renew([late.id]) == []
    frozen.put_off(late, "woke up")
    frozen.release()
    assert Starts(outbox, "third").claim(10) == []
    heir.done(taken)
    end_leases(outbox, "requests")
    assert frozen.claim(10) == []


def test_an_event_waits_until_its_run_was_started(outbox: Engine) -> None:
    run = accept_run(outbox, BOOK_TRIP, TRIP, instance_id=None, idempotency_key=None)
    accept_event(outbox, run.instance_id, CANCEL, {"reason": "rain"}, idempotency_key=None)
    events = Events(outbox, "one")
    assert events.claim(10) == []
    starts = Starts(outbox, "one")
    (claim,) = starts.claim(10)
    starts.done(claim)
    assert len(events.claim(10)) == 1


def test_events_of_one_run_go_in_the_order_of_acceptance(outbox: Engine) -> None:
    run = dispatched_trip(outbox)
    other = dispatched_trip(outbox)
    names = []
    for event in (SUSPEND, RESUME, CANCEL):
        accept_event(outbox, run, event, {"reason": "rain"}, idempotency_key=None)
    accept_event(outbox, other, CANCEL, {"reason": "rain"}, idempotency_key=None)
    events = Events(outbox, "one")
    first = events.claim(10)
    assert {(claim.row.instance_id, claim.row.name) for claim in first} == {
        (run, "suspend"),
        (other, "cancel"),
    }
    while first:
        for claim in first:
            names.append((claim.row.instance_id, claim.row.name))
            events.done(claim)
        first = events.claim(10)
    assert [name for instance, name in names if instance == run] == ["suspend", "resume", "cancel"]


def test_an_event_of_a_run_that_ended_expires(outbox: Engine) -> None:
    run = dispatched_trip(outbox)
    accept_event(outbox, run, CANCEL, {"reason": "rain"}, idempotency_key=None)
    RunIndex(outbox).absorb(report(run, "FAILED", 1))
    events = Events(outbox, uuid.uuid4().hex)
    events.expire_finished()
    assert events.claim(10) == []
    assert events.backlog().depth == 0


def test_the_first_end_that_the_index_sees_is_final(outbox: Engine) -> None:
    index, run = RunIndex(outbox), accept(outbox)
    index.absorb(report(run, "RUNNING", 1))
    index.absorb(report(run, "COMPLETED", 2, [2, 4, 16]))
    for later in (report(run, "RUNNING", 3), report(run, "FAILED", 4), report(run, "PENDING", 5)):
        seen = index.absorb(later)
        assert seen is not None
        assert (seen.state, seen.output) == (State.COMPLETED, [2, 4, 16])


def test_a_report_that_was_overtaken_changes_nothing(outbox: Engine) -> None:
    index, run = RunIndex(outbox), accept(outbox)
    index.absorb(report(run, "SUSPENDED", 5))
    seen = index.absorb(report(run, "RUNNING", 4))
    assert seen is not None
    assert seen.state is State.SUSPENDED
    seen = index.absorb(report(run, "PENDING", 6))
    assert seen is not None
    assert seen.state is State.SUSPENDED


def test_a_look_at_a_run_is_given_to_one_process_only(outbox: Engine) -> None:
    index = RunIndex(outbox)
    run = dispatched_trip(outbox)
    accept(outbox)  # not dispatched: the engine has nothing to say of it
    assert index.due(10) == []  # they were accepted a moment ago
    put_off(outbox, "1 second")
    assert index.due(10) == [run]
    assert index.due(10) == []


def test_whoever_asks_for_a_run_does_not_keep_the_refresher_from_it_unless_it_changes(
    outbox: Engine,
) -> None:
    index = RunIndex(outbox)
    run = dispatched_trip(outbox)
    index.absorb(report(run, "RUNNING", 1))
    put_off(outbox, "1 second")
    index.absorb(report(run, "RUNNING", 1))
    assert index.due(10) == [run]
    put_off(outbox, "1 second")
    index.absorb(report(run, "RUNNING", 2))
    assert index.due(10) == []


def test_a_run_that_the_ledger_has_as_closed_is_looked_at_without_delay(
    outbox: Engine, quiet_database: Database
) -> None:
    index = RunIndex(outbox)
    closed, _ = dispatched_trip(outbox), dispatched_trip(outbox)
    put_off(outbox, "-1 hour")
    with quiet_database.connect() as connection:
        connection.execute(
            "INSERT INTO work.closed_runs (instance, key) VALUES (%s, %s)", (closed, closed)
        )
    assert index.due(10) == []
    index.hasten_closed()
    assert index.due(10) == [closed]


def test_a_forgettable_change_is_the_only_one_that_does_not_wait_for_the_disk(
    outbox: Engine,
) -> None:
    accept(outbox)
    wanted = select(func.current_setting("synchronous_commit"))
    with outbox.connect() as connection:
        before = connection.scalar(wanted)
        connection.execute(update(runs).where(FORGETTABLE).values(reason=runs.c.reason))
        within = connection.scalar(wanted)
        connection.commit()
        assert (before, within, connection.scalar(wanted)) == ("on", "off", "on")
