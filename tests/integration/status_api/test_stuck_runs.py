"""Runs that cannot go on, on a real engine: how they are told, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from tests.support.examples import ORDER, TRIP
from tests.support.holding import commits_held
from tests.support.runs import start, state_of, wait_for_end, wait_for_state
from tests.support.stacks import client_of, database_of, engine_client, running_stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

#: What daprd sends in one message, unless it is told another size.
MOST_BYTES = 4 * 1024 * 1024
NOTE_BYTES = 700 * 1024


@pytest.fixture(scope="module")
def strict(stack_name: str) -> Iterator[Stack]:
    """A stack that leaves a run a few seconds to undo what it did after its deadline."""
    grace = {"status-api": {"HOLDFAST_DEADLINE_GRACE_SECONDS": "4"}}
    with running_stack(f"{stack_name}-strict", service_env=grace) as stack:
        yield stack


@pytest.fixture
def strict_api(strict: Stack) -> Iterator[httpx.Client]:
    with client_of(strict) as client:
        yield client


@pytest.fixture
def strict_db(strict: Stack) -> Iterator[Engine]:
    with database_of(strict) as engine:
        yield engine


@contextmanager
def step_never_commits(db: Engine, step: str) -> Iterator[None]:
    """Let every attempt at a step fail as if the database went away, so that it is tried for ever.

    Raised where the effect is written: the step itself does all that it can.
    """
    with db.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION work.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'hung' USING ERRCODE = '57P03'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON work.effects FOR EACH ROW"
                f" WHEN (NEW.step = '{step}') EXECUTE FUNCTION work.refuse()"
            )
        )
    try:
        yield
    finally:
        with db.begin() as connection:
            connection.execute(text("DROP FUNCTION work.refuse() CASCADE"))


def test_trip_whose_compensation_never_ends_is_ended_when_its_grace_is_over(
    strict_api: httpx.Client, strict_db: Engine
) -> None:
    deadline = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    with step_never_commits(strict_db, "cancel_flight"):
        with commits_held(strict_db):
            run = start(strict_api, "book_trip", TRIP, deadline=deadline)
            eventually("it is cancelled", lambda: cancelled(strict_api, run), seconds=60)
        eventually("it undoes", lambda: "cancel_flight" in tried(strict_api, run), seconds=60)
        assert state_of(strict_api, run)["state"] == "RUNNING"
        end = wait_for_end(strict_api, run, seconds=60)
    assert end["state"] == "TERMINATED"
    assert "was not undone in the time for that" in end["reason"]
    # What is left for people to undo is told: the booking has its effect, its undoing has none.
    effects = strict_api.get(f"/runs/{run}/timeline").json()["effects"]
    assert [effect["step"] for effect in effects] == ["book_flight"]


def test_why_names_the_payload_that_is_too_large_for_the_engine(
    strict: Stack, strict_api: httpx.Client, strict_db: Engine
) -> None:
    run = start(strict_api, "request_escalation", ORDER)
    wait_for_state(strict_api, run, "RUNNING")
    with engine_client(strict) as orchestrator:
        for number in range(MOST_BYTES // NOTE_BYTES + 1):
            # Past the API, which takes no event that no workflow takes, and none of this size.
            note = {"event_id": f"note-{number}", "data": {"text": "x" * NOTE_BYTES}}
            orchestrator.post(f"/instances/{run}/events/note", json=note)

    def stalled() -> dict[str, Any] | None:
        answer: dict[str, Any] = strict_api.get(f"/runs/{run}/why").json()
        return answer if answer["waits_for"][0]["kind"] == "stalled" else None

    answer = eventually("it is stalled", stalled, seconds=60)
    assert answer is not None
    assert "exceeds 95% of max gRPC body size" in answer["sentence"]
    assert answer["waits_for"][0]["detail"] in answer["sentence"]
    assert answer["commands"] == [f"holdfast wf terminate {run}"]
    assert strict_api.post(f"/runs/{run}/terminate").json()["fenced"] is True
    assert wait_for_end(strict_api, run, seconds=20)["state"] == "TERMINATED"
    # The engine holds on to it, and others are not held up.
    other = start(strict_api, "request_escalation", ORDER)
    wait_for_state(strict_api, other, "RUNNING")
    assert strict_api.post(f"/runs/{other}/terminate").is_success
    assert wait_for_end(strict_api, other, seconds=20)["state"] == "TERMINATED"
    with strict_db.connect() as connection:
        query = "SELECT delivered_at, last_error FROM status.commands WHERE instance_id = :run"
        kept = connection.execute(text(query), {"run": run}).one()
    # It is kept, for when daprd was started anew and takes it.
    assert kept.delivered_at is None
    assert "stalled" in kept.last_error


def cancelled(api: httpx.Client, run: str) -> bool:
    """Tell whether the engine has the cancellation: the next step is not begun any more."""
    events = api.get(f"/runs/{run}/events").json()["events"]
    return [(event["name"], event["state"]) for event in events] == [("cancel", "delivered")]


def tried(api: httpx.Client, run: str) -> set[str]:
    return {attempt["step"] for attempt in api.get(f"/runs/{run}/timeline").json()["attempts"]}
