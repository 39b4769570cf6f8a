"""What the API promises, kept on a real stack whose parts come and go."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from holdfast_status_api.states import State, predecessors
from tests.integration.status_api.asking import problem
from tests.support.examples import APPROVAL, ORDER, TRIP
from tests.support.holding import commits_held
from tests.support.ledger import effects
from tests.support.runs import start, state_of, wait_for_end, wait_for_state
from tests.support.stacks import client_of, engine_client, without
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def events_of(api: httpx.Client, run: str) -> list[str]:
    answer = api.get(f"/runs/{run}/events")
    assert answer.status_code == 200, answer.text
    return [event["state"] for event in answer.json()["events"]]


@dataclass
class Outage:
    """What was accepted and seen while the orchestrator was down."""

    chains: list[str]
    pending: list[str]
    ready: int
    waiting: str
    waiting_seen: dict[str, Any]
    history: httpx.Response
    approved_early: str
    approved_twice: str
    finished: str
    finished_before: dict[str, Any]
    finished_during: dict[str, Any]


@pytest.fixture(scope="module")
def outage(stack: Stack) -> Outage:
    """Take the orchestrator away once, for all tests that need it away."""
    with client_of(stack) as api:
        waiting = start(api, "request_escalation", ORDER)
        finished = start(api, "task_chain", 1)
        wait_for_state(api, waiting, "RUNNING")
        finished_before = wait_for_end(api, finished)
        with without(stack, "orchestrator"):
            waiting_seen = eventually("the API notices", lambda: _stale(api, waiting))
            assert waiting_seen is not None
            approve(api, waiting)
            chains = [start(api, "task_chain", number) for number in range(1, 11)]
            approved_early = start(api, "request_escalation", ORDER)
            approve(api, approved_early)
            approved_twice = start(api, "request_escalation", ORDER)
            approve(api, approved_twice, {"approved": False, "by": "Grace"})
            approve(api, approved_twice, {"approved": True, "by": "Ada"})
            return Outage(
                chains=chains,
                pending=[state_of(api, run)["state"] for run in chains],
                ready=api.get("/readyz").status_code,
                waiting=waiting,
                waiting_seen=waiting_seen,
                history=api.get(f"/runs/{waiting}/history"),
                approved_early=approved_early,
                approved_twice=approved_twice,
                finished=finished,
                finished_before=finished_before,
                finished_during=state_of(api, finished),
            )


def approve(
    api: httpx.Client, run: str, approval: Mapping[str, object] = MappingProxyType(APPROVAL)
) -> None:
    answer = api.post(f"/runs/{run}/events/human_approval", json=dict(approval))
    assert answer.status_code == 202, answer.text


def test_runs_accepted_while_the_orchestrator_is_down_start_when_it_is_back(
    api: httpx.Client, outage: Outage
) -> None:
    assert outage.pending == ["PENDING"] * len(outage.chains)
    for number, run in enumerate(outage.chains, start=1):
        doubled = 2 * (number + 1)
        end = wait_for_end(api, run, seconds=60)
        assert end["output"] == [number + 1, doubled, doubled**2]


def test_the_api_stays_ready_while_the_orchestrator_is_down(outage: Outage) -> None:
    assert outage.ready == 200


def test_the_last_state_is_served_as_stale_while_the_orchestrator_is_down(
    api: httpx.Client, outage: Outage
) -> None:
    assert outage.waiting_seen["state"] == "RUNNING"
    assert outage.finished_during == outage.finished_before
    eventually("the API sees the engine again", lambda: not state_of(api, outage.waiting)["stale"])


def test_what_only_the_engine_knows_is_a_503_that_says_when_to_ask_again(
    api: httpx.Client, outage: Outage
) -> None:
    assert problem(outage.history, 503)["title"] == "The workflow engine cannot be asked"
    assert int(outage.history.headers["Retry-After"]) >= 1
    wait_for_end(api, outage.waiting, seconds=60)
    assert api.get(f"/runs/{outage.waiting}/history").status_code == 200


def test_an_approval_accepted_while_the_orchestrator_is_down_is_consumed_when_it_is_back(
    api: httpx.Client, outage: Outage
) -> None:
    assert wait_for_end(api, outage.waiting, seconds=60)["output"]["verdict"] == "approved"
    assert events_of(api, outage.waiting) == ["consumed"]


def test_an_event_accepted_before_its_run_was_started_is_consumed(
    api: httpx.Client, outage: Outage
) -> None:
    run = outage.approved_early
    assert wait_for_end(api, run, seconds=60)["output"]["verdict"] == "approved"
    assert events_of(api, run) == ["consumed"]


def test_of_two_approvals_the_first_counts_and_a_third_after_the_decision_is_a_409(
    api: httpx.Client, outage: Outage
) -> None:
    run = outage.approved_twice
    end = wait_for_end(api, run, seconds=60)
    assert (end["output"]["verdict"], end["output"]["by"]) == ("rejected", "approver")
    problem(api.post(f"/runs/{run}/events/human_approval", json=APPROVAL), 409)
    assert events_of(api, run) == ["consumed", "expired"]


def test_an_approval_accepted_while_the_worker_is_down_is_consumed_when_it_is_back(
    stack: Stack, api: httpx.Client
) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    with without(stack, "activity-worker"):
        approve(api, run)
        assert events_of(api, run)[0] in {"pending", "delivered"}
    assert wait_for_end(api, run, seconds=60)["output"]["verdict"] == "approved"
    assert events_of(api, run) == ["consumed"]


@pytest.mark.parametrize("sidecar", ["orchestrator-sidecar", "status-api-sidecar"])
def test_runs_accepted_while_a_sidecar_is_down_start_when_it_is_back(
    stack: Stack, api: httpx.Client, sidecar: str
) -> None:
    with without(stack, sidecar):
        run = start(api, "task_chain", 1)
        assert api.get("/healthz").status_code == 200
        ready = api.get("/readyz")
        own = sidecar == "status-api-sidecar"
        assert list(ready.json().get("missing", [])) == (["sidecar"] if own else [])
    assert wait_for_end(api, run, seconds=60)["output"] == [2, 4, 16]


def test_an_event_to_a_finished_run_is_a_409(api: httpx.Client) -> None:
    run = start(api, "request_escalation", {"amount": 5})
    wait_for_end(api, run)
    problem(api.post(f"/runs/{run}/events/human_approval", json=APPROVAL), 409)
    trip = start(api, "book_trip", TRIP)
    wait_for_end(api, trip)
    problem(api.post(f"/runs/{trip}/events/cancel", json={}), 409)


@pytest.mark.parametrize(("document", "state"), [(1, "COMPLETED"), (-1, "FAILED")])
def test_an_id_of_a_finished_run_is_a_409_and_the_run_untouched(
    api: httpx.Client, db: Engine, document: int, state: str
) -> None:
    run = start(api, "task_chain", document)
    end = wait_for_end(api, run)
    assert end["state"] == state
    before = effects(db, run)
    problem(api.post("/workflows/task_chain", params={"instance_id": run}, json=5), 409)
    assert state_of(api, run) == end
    assert effects(db, run) == before


def test_an_id_of_a_running_run_is_a_409_and_the_run_goes_on(api: httpx.Client) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    query = {"instance_id": run}
    problem(api.post("/workflows/request_escalation", params=query, json={"amount": 1}), 409)
    assert api.post(f"/runs/{run}/events/human_approval", json=APPROVAL).status_code == 202
    assert wait_for_end(api, run)["output"] == {
        "verdict": "approved",
        "by": "approver",
        "amount": 5000.0,
    }


def test_a_start_whose_answer_was_lost_is_not_made_again(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    run = start(api, "task_chain", 1)
    end = wait_for_end(api, run)
    with engine_client(stack) as orchestrator:
        before = orchestrator.get(f"/instances/{run}").json()
    with db.begin() as connection:
        # What a dispatcher leaves that was killed between the engine's answer and its own note.
        connection.execute(
            text(
                "UPDATE status.requests SET dispatched_at = NULL, attempts = 1,"
                " next_attempt_at = clock_timestamp() WHERE instance_id = :run"
            ),
            {"run": run},
        )

    def noted() -> bool:
        with db.connect() as connection:
            query = "SELECT dispatched_at FROM status.requests WHERE instance_id = :run"
            return connection.scalar(text(query), {"run": run}) is not None

    eventually("the dispatcher finds that the run is there", noted)
    with engine_client(stack) as orchestrator:
        assert orchestrator.get(f"/instances/{run}").json() == before
    assert state_of(api, run) == end


def test_the_index_learns_of_an_end_that_nobody_asks_for(api: httpx.Client, db: Engine) -> None:
    run = start(api, "task_chain", 1)

    def indexed() -> bool:
        with db.connect() as connection:
            query = "SELECT state FROM status.runs WHERE instance_id = :run"
            return bool(connection.scalar(text(query), {"run": run}) == "COMPLETED")

    eventually("the refresher has seen the end", indexed, seconds=20)


def test_who_asks_for_a_run_that_waits_is_told_to_come_back_when_its_timer_is_due(
    api: httpx.Client, db: Engine
) -> None:
    # Nobody is sent away for longer than 30 s, so the wait is a shorter one.
    run = start(api, "request_escalation", {**ORDER, "approval_window_seconds": 29})

    def noted() -> datetime | None:
        # Not by the API: whoever asks it looks in the refresher's place.
        with db.connect() as connection:
            query = "SELECT wakes_at FROM status.runs WHERE instance_id = :run"
            wakes_at: datetime | None = connection.scalar(text(query), {"run": run})
            return wakes_at

    wakes_at = eventually("the refresher has found the timer", noted, seconds=20)
    assert wakes_at is not None
    retry_after = int(api.get(f"/status/{run}").headers["Retry-After"])
    assert retry_after > 3
    left = wakes_at - datetime.now(UTC)
    assert abs(retry_after - left.total_seconds()) < 2
    (cause,) = api.get(f"/runs/{run}/why").json()["waits_for"]
    assert (cause["kind"], datetime.fromisoformat(cause["until"])) == ("event", wakes_at)
    assert api.post(f"/runs/{run}/terminate").status_code == 202


def test_a_cancelled_trip_is_shown_as_cancelled(api: httpx.Client, db: Engine) -> None:
    with commits_held(db):
        run = start(api, "book_trip", TRIP)
        wait_for_state(api, run, "RUNNING")
        answer = api.post(f"/runs/{run}/events/cancel", json={"reason": "changed my mind"})
        assert answer.status_code == 202
        eventually("the engine has the event", lambda: events_of(api, run) == ["delivered"])
    end = wait_for_end(api, run)
    assert (end["state"], end["output"]["outcome"]) == ("CANCELLED", "cancelled")
    assert events_of(api, run) == ["consumed"]


def test_a_failed_run_is_a_200_with_its_failure(api: httpx.Client) -> None:
    run = start(api, "task_chain", -1)
    end = wait_for_end(api, run)
    assert end["state"] == "FAILED"
    assert "step2" in end["failure"]["message"]
    assert end["output"] is None


def test_runs_accepted_right_before_a_sigkill_of_the_api_run_to_their_end(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    runs = [start(api, "task_chain", number) for number in range(1, 21)]
    assert stack.kill("status-api")
    stack.wait_until_ready()
    for run in runs:
        assert wait_for_end(api, run, seconds=60)["state"] == "COMPLETED"
        assert len(effects(db, run)) == 3


def test_postgresql_down_is_a_503_and_all_goes_on_when_it_is_back(
    stack: Stack, api: httpx.Client
) -> None:
    run = start(api, "batch_processing", 100)
    wait_for_state(api, run, "RUNNING")
    with without(stack, "postgres"):
        refused = api.post("/workflows/task_chain", json=1)
        problem(refused, 503)
        assert int(refused.headers["Retry-After"]) >= 1
        problem(api.get(f"/status/{run}"), 503)
    later = start(api, "task_chain", 1)
    assert wait_for_end(api, later)["output"] == [2, 4, 16]
    assert wait_for_end(api, run)["output"]["count"] == 100


def test_no_observer_sees_a_status_go_back_or_vanish_while_processes_are_killed(
    stack: Stack, api: httpx.Client
) -> None:
    runs = [start(api, "task_chain", number) for number in range(1, 31)]
    runs += [start(api, "batch_processing", 65)]
    seen: dict[str, list[State]] = {run: [] for run in runs}
    ended = threading.Event()
    faults: list[str] = []

    def observe() -> None:
        with client_of(stack) as client:
            while not ended.is_set():
                for run in runs:
                    answer = client.get(f"/status/{run}")
                    if answer.status_code != 200:
                        faults.append(f"{run}: {answer.status_code} {answer.text}")
                        continue
                    state = State(answer.json()["state"])
                    before = seen[run][-1] if seen[run] else State.PENDING
                    if state is not before and before not in predecessors(state):
                        faults.append(f"{run}: {before} then {state}")
                    seen[run].append(state)

    observer = threading.Thread(target=observe)
    observer.start()
    try:
        for name in ("orchestrator", "orchestrator-sidecar", "status-api-sidecar"):
            assert stack.kill(name)
            stack.wait_until_ready()
        for run in runs:
            assert wait_for_end(api, run)["state"] == "COMPLETED"
    finally:
        ended.set()
        observer.join()
    assert faults == []
    assert all(states for states in seen.values())


def test_one_idempotency_key_starts_one_run_on_the_engine(api: httpx.Client, db: Engine) -> None:
    header = {"Idempotency-Key": uuid.uuid4().hex}
    runs = {
        api.post("/workflows/task_chain", json=3, headers=header).json()["instance_id"]
        for _ in range(5)
    }
    (run,) = runs
    assert wait_for_end(api, run)["output"] == [4, 8, 64]
    assert len(effects(db, run)) == 3


def _stale(api: httpx.Client, run: str) -> dict[str, Any] | None:
    status = state_of(api, run)
    return status if status["stale"] else None
