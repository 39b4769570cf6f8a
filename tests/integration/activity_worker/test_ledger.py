from __future__ import annotations

import signal

import psycopg
import pytest

from holdfast_activity_worker.migrate import migrate
from holdfast_contracts.book_trip import BOOK_HOTEL, CANCEL_HOTEL
from holdfast_contracts.core import CLOSE_RUN
from holdfast_contracts.errors import (
    DivergenceError,
    InvalidValueError,
    RunClosedError,
    UnavailableError,
)
from holdfast_contracts.task_chain import ERROR_HANDLER, STEP1, STEP2, STEP3, StepResult
from tests.integration.activity_worker.hands import (
    Admin,
    Hands,
    available,
    effects,
    key,
    outcomes,
    rows,
    wait_until_blocked,
)
from tests.support.postgres import Database

LEDGER = (
    *("effects", "attempts", "outcomes", "divergences"),
    *("closed_runs", "consumed_events", "decisions"),
)
HOTEL = {"traveller": "Ada", "item": "Harbour Hotel"}


def test_a_repeated_attempt_returns_the_stored_result_and_has_no_second_effect(
    hands: Hands, admin: Admin, run: str
) -> None:
    before = available(admin, "Harbour Hotel")
    first = hands.do(BOOK_HOTEL, run, **HOTEL)
    second = hands.do(BOOK_HOTEL, run, **HOTEL)
    assert first == second
    assert effects(admin, run) == [("book_hotel", 0, "effect")]
    assert outcomes(admin, run) == ["committed", "repeated"]
    assert isinstance(before, int)
    assert available(admin, "Harbour Hotel") == before - 1
    assert hands.count("holdfast_effects_total", activity="book_hotel") == 1
    assert hands.count("holdfast_repeated_attempts_total", activity="book_hotel") == 1
    assert hands.count("holdfast_activity_seconds_count", activity="book_hotel") == 2


def test_another_payload_under_a_taken_key_is_refused_and_recorded(
    hands: Hands, admin: Admin, run: str
) -> None:
    hands.do(STEP1, run, value=1)
    with pytest.raises(DivergenceError):
        hands.do(STEP1, run, value=2)
    recorded = "SELECT offered ->> 'value', pod FROM work.divergences WHERE key = %s"
    assert rows(admin, recorded, key(STEP1, run)) == [("2", "hands/1")]
    assert outcomes(admin, run) == ["committed", "refused"]
    assert hands.do(STEP1, run, value=1) == StepResult(value=2)
    assert hands.count("holdfast_divergences_total", activity="step1") == 1


def test_a_failed_attempt_leaves_its_record_and_nothing_else(
    hands: Hands, admin: Admin, run: str
) -> None:
    for _ in range(2):
        with pytest.raises(InvalidValueError, match="not 0"):
            hands.do(STEP2, run, value=0)
    assert effects(admin, run) == []
    query = "SELECT outcome, error_type, error FROM ledger.attempts WHERE instance = %s"
    text = "step2 doubles values of at least 1, not 0"
    assert rows(admin, query, run) == [("failed", "InvalidValueError", text)] * 2


def test_the_chain_adds_doubles_and_squares(hands: Hands, run: str) -> None:
    values = [1]
    for step in STEP1, STEP2, STEP3:
        values.append(hands.do(step, run, value=values[-1]).value)
    assert values == [1, 2, 4, 16]


def test_the_error_that_ended_a_chain_is_on_record(hands: Hands, admin: Admin, run: str) -> None:
    hands.do(ERROR_HANDLER, run, error="it \0 broke", closes_run=True)
    query = "SELECT error FROM work.chain_errors WHERE instance = %s"
    assert rows(admin, query, run) == [("it  broke",)]


def test_two_attempts_at_once_have_one_effect(hands: Hands, admin: Admin, run: str) -> None:
    with admin.transaction():
        admin.execute("LOCK TABLE work.effects IN SHARE MODE")
        attempts = [hands.begin(BOOK_HOTEL, run, **HOTEL) for _ in range(2)]
        wait_until_blocked(admin, hands.name, "INSERT INTO work.effects")
        wait_until_blocked(admin, hands.name, "pg_advisory_xact_lock")
    results = [attempt.result(timeout=30) for attempt in attempts]
    assert results[0] == results[1]
    assert effects(admin, run) == [("book_hotel", 0, "effect")]
    assert sorted(map(str, outcomes(admin, run))) == ["committed", "repeated"]


def test_a_worker_that_stands_before_its_commit_leaves_nothing_when_its_session_ends(
    database: Database, admin: Admin, run: str
) -> None:
    before = available(admin, "Lighthouse Inn")
    booking = {"traveller": "Ada", "item": "Lighthouse Inn"}
    with Hands(database.url("worker"), name="victim", patience_seconds=0) as victim:
        with admin.transaction():
            admin.execute("LOCK TABLE work.effects IN SHARE MODE")
            attempt = victim.begin(BOOK_HOTEL, run, **booking)
            pid = wait_until_blocked(admin, victim.name, "INSERT INTO work.effects")
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(UnavailableError):
            attempt.result(timeout=30)
    assert effects(admin, run) == []
    assert available(admin, "Lighthouse Inn") == before
    assert rows(admin, "SELECT FROM work.bookings WHERE instance = %s", run) == []
    assert outcomes(admin, run) == [None]


def test_an_attempt_whose_session_ended_is_repeated_in_the_process(
    hands: Hands, admin: Admin, run: str
) -> None:
    with admin.transaction():
        admin.execute("LOCK TABLE work.effects IN SHARE MODE")
        attempt = hands.begin(STEP1, run, value=1)
        pid = wait_until_blocked(admin, hands.name, "INSERT INTO work.effects")
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert attempt.result(timeout=30) == StepResult(value=2)
    assert outcomes(admin, run) == [None, "committed"]


def test_a_worker_that_stands_before_its_return_has_had_its_effect(
    hands: Hands, admin: Admin, run: str
) -> None:
    with admin.transaction():
        admin.execute("LOCK TABLE work.outcomes IN SHARE MODE")
        attempt = hands.begin(STEP1, run, value=1)
        pid = wait_until_blocked(admin, hands.name, "INSERT INTO work.outcomes")
        assert effects(admin, run) == [("step1", 0, "effect")]
        assert not attempt.done()
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert attempt.result(timeout=30) == StepResult(value=2)
    assert effects(admin, run) == [("step1", 0, "effect")]
    assert outcomes(admin, run) == [None, "repeated"]


def test_readers_of_the_ledger_are_not_in_the_way_of_a_blocked_worker(
    hands: Hands, admin: Admin, run: str
) -> None:
    hands.do(STEP1, run, value=1)
    with admin.transaction():
        admin.execute("LOCK TABLE work.effects IN SHARE MODE")
        attempt = hands.begin(STEP2, run, value=2)
        wait_until_blocked(admin, hands.name, "INSERT INTO work.effects")
        assert hands.do(STEP1, run, value=1) == StepResult(value=2)
        assert effects(admin, run) == [("step1", 0, "effect")]
    assert attempt.result(timeout=30) == StepResult(value=4)


def test_a_closed_run_takes_no_new_effect_and_hands_back_stored_results(
    hands: Hands, admin: Admin, run: str
) -> None:
    hands.do(STEP1, run, value=1)
    hands.do(STEP3, run, value=4, closes_run=True)
    with pytest.raises(RunClosedError):
        hands.do(STEP2, run, value=2)
    assert hands.do(STEP1, run, value=1) == StepResult(value=2)
    assert hands.do(STEP3, run, value=4, closes_run=True) == StepResult(value=16)
    assert [step for step, _, _ in effects(admin, run)] == ["step1", "step3"]
    assert outcomes(admin, run) == ["committed", "committed", "refused", "repeated", "repeated"]
    closed = "SELECT key FROM ledger.closed_runs WHERE instance = %s"
    assert rows(admin, closed, run) == [(key(STEP3, run),)]


def test_closing_a_child_leaves_its_root_and_its_siblings_open(hands: Hands, run: str) -> None:
    child, sibling = f"{run}:0:0", f"{run}:0:1"
    closed = hands.do(CLOSE_RUN, run, instance=child)
    assert closed.instance == child
    with pytest.raises(RunClosedError):
        hands.do(STEP1, run, 0, instance=child, value=1)
    hands.do(STEP1, run, 1, instance=sibling, value=1)
    hands.do(STEP1, run, 2, value=1)


def test_a_closed_root_takes_no_effect_of_a_child(hands: Hands, run: str) -> None:
    hands.do(CLOSE_RUN, run)
    with pytest.raises(RunClosedError):
        hands.do(STEP1, run, instance=f"{run}:0:0", value=1)


def test_closing_waits_for_the_effects_that_are_under_way(
    hands: Hands, admin: Admin, run: str
) -> None:
    with admin.transaction():
        admin.execute("LOCK TABLE work.effects IN SHARE MODE")
        step = hands.begin(STEP1, run, value=1)
        wait_until_blocked(admin, hands.name, "INSERT INTO work.effects")
        closing = hands.begin(CLOSE_RUN, run)
        wait_until_blocked(admin, hands.name, "pg_advisory_xact_lock")
    step.result(timeout=30)
    closing.result(timeout=30)
    assert effects(admin, run) == [("step1", 0, "effect"), ("close_run", 0, "effect")]


def test_events_are_consumed_in_the_transaction_of_the_effect_or_of_a_repetition(
    hands: Hands, admin: Admin, run: str
) -> None:
    first, second = f"{run}-event-1", f"{run}-event-2"
    cancellation = {"undoes": key(BOOK_HOTEL, run)}
    hands.do(CANCEL_HOTEL, run, **cancellation, consumed_events=(first,))
    hands.do(CANCEL_HOTEL, run, **cancellation, consumed_events=(first, second))
    query = "SELECT event_id, key FROM ledger.consumed_events WHERE instance = %s ORDER BY event_id"
    taken_by = key(CANCEL_HOTEL, run)
    assert rows(admin, query, run) == [(first, taken_by), (second, taken_by)]


def test_a_refused_attempt_consumes_nothing(hands: Hands, admin: Admin, run: str) -> None:
    hands.do(CLOSE_RUN, run)
    with pytest.raises(RunClosedError):
        hands.do(STEP1, run, value=1, consumed_events=(f"{run}-event",))
    assert rows(admin, "SELECT FROM work.consumed_events WHERE instance = %s", run) == []


@pytest.mark.parametrize("table", LEDGER)
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_services_may_add_to_the_ledger_and_change_nothing_in_it(
    database: Database, admin: Admin, table: str, change: str
) -> None:
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND attidentity = '' LIMIT 1"
    )
    ((column,),) = rows(admin, query, f"work.{table}")
    statement = change.format(f"work.{table}", column, column)
    for role in "worker", "status":
        url = database.url(role).replace("+psycopg", "")
        with (
            psycopg.connect(url) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute(statement.encode())


def test_the_status_role_reads_the_ledger_by_its_views_and_may_load_batches_only(
    database: Database, admin: Admin
) -> None:
    query = """
        SELECT table_schema || '.' || table_name, privilege_type
        FROM information_schema.role_table_grants
        WHERE grantee = 'holdfast_status' AND table_schema IN ('work', 'ledger')
    """
    views = ("attempts", "closed_runs", "consumed_events", "decisions", "effects", "workers")
    assert set(rows(admin, query)) == {
        *((f"ledger.{view}", "SELECT") for view in views),
        *(
            (f"work.{table}", privilege)
            for table in ("batches", "batch_legs")
            for privilege in ("SELECT", "INSERT")
        ),
    }


def test_a_database_that_stays_away_says_nothing_about_the_work() -> None:
    away = "postgresql+psycopg://holdfast_worker:none@127.0.0.1:1/holdfast"
    with (
        Hands(away, patience_seconds=0.2) as hands,
        pytest.raises(UnavailableError, match="the database is away"),
    ):
        hands.do(STEP1, "anything", value=1)


def test_an_attempt_outlives_a_database_that_is_killed_and_comes_back(
    hands: Hands, database: Database, run: str
) -> None:
    hands.do(STEP1, run, value=1)
    database.stop(signal.SIGQUIT)
    attempt = hands.begin(STEP2, run, value=2)
    retried = "holdfast_attempts_total"
    database.start()
    assert attempt.result(timeout=30) == StepResult(value=4)
    assert hands.count(retried, activity="step2", outcome="unavailable") == 0
    with database.connect() as admin:
        assert [step for step, _, _ in effects(admin, run)] == ["step1", "step2"]


def test_a_schema_that_is_not_there_yet_is_waited_for(database: Database) -> None:
    database.create("early")
    with Hands(database.url("worker", "early"), patience_seconds=0) as hasty:
        with pytest.raises(UnavailableError):
            hasty.do(STEP1, "early", value=1)
        migrate(database.url("owner", "early"))
        assert hasty.do(STEP1, "early", value=1) == StepResult(value=2)
