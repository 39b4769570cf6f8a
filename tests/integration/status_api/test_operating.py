"""What operators do to runs, on a real engine."""

from __future__ import annotations

import asyncio
import shlex
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from tests.integration.status_api.asking import problem
from tests.support.examples import ORDER, TRIP
from tests.support.holding import commits_held
from tests.support.ledger import effects
from tests.support.metrics import total
from tests.support.runs import start, state_of, wait_for_end, wait_for_state
from tests.support.stacks import client_of, engine_client, without
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@contextmanager
def reruns_begin_late(db: Engine) -> Iterator[None]:
    """Let what is accepted in the block wait in the outbox for some seconds."""
    with db.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION status.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " NEW.start_at = clock_timestamp() + interval '4 s'; RETURN NEW; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER late BEFORE INSERT ON status.requests"
                " FOR EACH ROW EXECUTE FUNCTION status.late()"
            )
        )
    try:
        yield
    finally:
        with db.begin() as connection:
            connection.execute(text("DROP FUNCTION status.late() CASCADE"))


def steps(api: httpx.Client, run: str) -> list[str]:
    return [effect["step"] for effect in timeline(api, run)["effects"]]


def timeline(api: httpx.Client, run: str) -> dict[str, Any]:
    answer = api.get(f"/runs/{run}/timeline")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def why(api: httpx.Client, run: str) -> dict[str, Any]:
    answer = api.get(f"/runs/{run}/why")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def do(api: httpx.Client, run: str, action: str) -> dict[str, Any]:
    answer = api.post(f"/runs/{run}/{action}", json={})
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_run_that_waits_for_an_event_is_suspended_and_resumed(api: httpx.Client) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    do(api, run, "suspend")
    wait_for_state(api, run, "SUSPENDED", seconds=10)
    answer = why(api, run)
    assert answer["waits_for"][0]["kind"] == "suspension"
    assert answer["commands"] == [f"holdfast wf resume {run}"]
    do(api, run, "resume")
    wait_for_state(api, run, "RUNNING", seconds=10)
    approval = {"approved": True, "by": "Grace"}
    assert api.post(f"/runs/{run}/events/human_approval", json=approval).status_code == 202
    assert wait_for_end(api, run)["state"] == "COMPLETED"


def test_a_run_that_is_approved_while_suspended_acts_when_it_is_resumed(api: httpx.Client) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    do(api, run, "suspend")
    approval = {"approved": True, "by": "Grace"}
    assert api.post(f"/runs/{run}/events/human_approval", json=approval).status_code == 202

    def at_the_gate() -> bool:
        return str(state_of(api, run)["custom_status"]) == "suspended"

    eventually("the run has come to its gate", at_the_gate)
    assert steps(api, run) == []
    do(api, run, "resume")
    assert wait_for_end(api, run)["output"]["verdict"] == "approved"


def test_a_suspended_trip_is_cancelled_and_undone_without_one_more_booking(
    api: httpx.Client, db: Engine
) -> None:
    with commits_held(db):
        run = start(api, "book_trip", TRIP)
        eventually("the first step is tried", lambda: timeline(api, run)["attempts"])
        do(api, run, "suspend")
        wait_for_state(api, run, "SUSPENDED", seconds=10)
    eventually("the first step is done", lambda: steps(api, run) == ["book_flight"])
    do(api, run, "cancel")
    end = wait_for_end(api, run)
    assert (end["state"], end["output"]["outcome"]) == ("CANCELLED", "cancelled")
    assert steps(api, run) == ["book_flight", "cancel_flight"]


def test_cancelling_what_cannot_be_undone_is_a_409(api: httpx.Client) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    problem(api.post(f"/runs/{run}/cancel"), 409)
    do(api, run, "terminate")


def test_nothing_of_a_terminated_run_starts_any_more(api: httpx.Client, db: Engine) -> None:
    with commits_held(db):
        run = start(api, "task_chain", 1)
        eventually("the first step is tried", lambda: timeline(api, run)["attempts"])
        # Its effect is under way and may still happen; nothing after it may.
        assert do(api, run, "terminate")["fenced"] is False
    assert wait_for_end(api, run)["state"] == "TERMINATED"
    problem(api.post(f"/runs/{run}/terminate"), 409)
    problem(api.post(f"/runs/{run}/suspend"), 409)
    assert steps(api, run) in ([], ["step1"])
    errors = {attempt["error_type"] for attempt in timeline(api, run)["attempts"]}
    assert errors <= {None, "RunClosedError"}


def test_a_terminated_batch_takes_its_children_along(api: httpx.Client, db: Engine) -> None:
    with commits_held(db):
        run = start(api, "batch_processing", 200)
        eventually("the batch is looked for", lambda: timeline(api, run)["attempts"])
    eventually("items are done", lambda: "process_work_item" in steps(api, run), seconds=60)
    do(api, run, "terminate")

    def fenced() -> bool:
        with db.connect() as connection:
            query = "SELECT count(*) FROM work.closed_runs WHERE instance = :run"
            return bool(connection.scalar(text(query), {"run": run}) == 1)

    eventually("the ledger is closed", fenced)
    done = len(steps(api, run))
    assert done <= 201
    assert wait_for_end(api, run)["state"] == "TERMINATED"
    assert len(steps(api, run)) == done
    with db.connect() as connection:
        query = "SELECT count(*) FROM work.batch_results WHERE instance = :run"
        assert connection.scalar(text(query), {"run": run}) == 0


def test_a_termination_is_kept_while_the_orchestrator_is_away_and_the_ledger_closed_at_once(
    stack: Stack, api: httpx.Client
) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    with without(stack, "orchestrator"):
        assert do(api, run, "terminate")["fenced"] is True
        problem(api.post(f"/runs/{run}/events/human_approval", json={"approved": True}), 409)
        kinds = [cause["kind"] for cause in why(api, run)["waits_for"]]
        assert kinds == ["engine"]
    assert wait_for_end(api, run, seconds=60)["state"] == "TERMINATED"


def test_a_finished_run_is_purged_from_the_engine_too(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    run = start(api, "task_chain", 1)
    problem(api.delete(f"/runs/{start(api, 'request_escalation', ORDER)}"), 409)
    wait_for_end(api, run)
    assert api.delete(f"/runs/{run}").status_code == 204
    problem(api.get(f"/status/{run}"), 410)
    with engine_client(stack) as orchestrator:
        url = f"/instances/{run}"
        eventually("the engine forgets it", lambda: orchestrator.get(url).is_client_error)
    assert len(effects(db, run)) == 3


def test_a_chain_runs_again_from_its_second_step_under_keys_of_its_own(api: httpx.Client) -> None:
    run = start(api, "task_chain", 3)
    end = wait_for_end(api, run)
    history = api.get(f"/runs/{run}/history").json()["events"]
    scheduled = {
        event["name"]: event["event_id"] for event in history if event["type"] == "TASK_SCHEDULED"
    }
    answer = api.post(f"/runs/{run}/rerun", json={"from_event": scheduled["step2"]})
    assert answer.status_code == 202
    new = answer.json()["instance_id"]
    again = wait_for_end(api, new)
    assert (again["output"], again["rerun_of"]) == (end["output"], run)
    assert steps(api, new) == ["step2", "step3"]
    assert steps(api, run) == ["step1", "step2", "step3"]
    problem(api.post(f"/runs/{run}/rerun", json={"from_event": 4000}), 422)


def test_a_rerun_whose_source_is_purged_before_it_can_begin_has_failed_and_says_why(
    api: httpx.Client, db: Engine
) -> None:
    run = start(api, "task_chain", 3)
    wait_for_end(api, run)
    history = api.get(f"/runs/{run}/history").json()["events"]
    step = next(event["event_id"] for event in history if event["name"] == "step2")
    with reruns_begin_late(db):
        new = api.post(f"/runs/{run}/rerun", json={"from_event": step}).json()["instance_id"]
    assert api.delete(f"/runs/{run}").status_code == 204
    assert state_of(api, new)["state"] == "PENDING"
    end = wait_for_end(api, new)
    assert (end["state"], end["rerun_of"]) == ("FAILED", run)
    assert end["failure"]["message"] == f"the engine has no history of {run} any more"
    assert why(api, new)["waits_for"][0]["kind"] == "nothing"
    # It is over: it can be repeated from the start, and purged.
    assert wait_for_end(api, do(api, new, "rerun")["instance_id"])["state"] == "COMPLETED"
    assert api.delete(f"/runs/{new}").status_code == 204


def test_a_failed_chain_fails_again_from_its_failed_step_by_its_own_fault(
    api: httpx.Client,
) -> None:
    run = start(api, "task_chain", -1)
    assert wait_for_end(api, run)["state"] == "FAILED"
    history = api.get(f"/runs/{run}/history").json()["events"]
    last = [event for event in history if event.get("name") == "step2"][-1]["event_id"]
    new = api.post(f"/runs/{run}/rerun", json={"from_event": last}).json()["instance_id"]
    assert "step2" in wait_for_end(api, new)["failure"]["message"]
    # Not refused because the first run is closed: the key is the new run's.
    errors = {attempt["error_type"] for attempt in timeline(api, new)["attempts"]}
    assert "RunClosedError" not in errors


def test_why_names_the_activity_and_that_its_app_has_no_worker(
    stack: Stack, api: httpx.Client
) -> None:
    with without(stack, "activity-worker"):
        run = start(api, "task_chain", 1)

        def told() -> dict[str, Any] | None:
            cause: dict[str, Any] = why(api, run)["waits_for"][-1]
            absent = cause["kind"] == "activity" and cause["worker_connected"] is False
            return cause if absent else None

        # The engine may have the start in hand, or not; it cannot save the turn either way.
        cause = eventually("it is told that no worker is there", told, seconds=30)
        assert cause is not None
        assert cause["app_id"] == stack.app_ids["activity-worker"]
    wait_for_end(api, run, seconds=60)


def test_why_names_the_event_and_the_time_until_it_is_waited_for(api: httpx.Client) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    answer = eventually("it waits", lambda: why(api, run) if why(api, run)["commands"] else None)
    assert answer is not None
    (cause,) = answer["waits_for"]
    assert (cause["kind"], cause["name"]) == ("event", "human_approval")
    assert datetime.fromisoformat(cause["until"]) > datetime.now(UTC) + timedelta(days=6)
    assert datetime.fromisoformat(cause["since"]) <= datetime.now(UTC)
    assert ", since 20" in answer["sentence"]
    data = shlex.quote('{"approved": true}')
    assert answer["commands"] == [
        f"holdfast wf raise-event {run} human_approval --event-data {data}"
    ]
    do(api, run, "terminate")
    wait_for_end(api, run)
    assert why(api, run)["waits_for"][0]["kind"] == "nothing"


def test_a_scheduled_run_starts_when_it_is_due_and_a_late_one_is_ended(api: httpx.Client) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    run = api.post("/workflows/task_chain", params={"start_at": soon}, json=1).json()["instance_id"]
    late = api.post("/workflows/request_escalation", params={"deadline": soon}, json=ORDER).json()[
        "instance_id"
    ]
    assert state_of(api, run)["state"] == "PENDING"
    end = wait_for_end(api, run)
    assert end["started_at"] >= end["start_at"]
    assert wait_for_end(api, late)["state"] == "TERMINATED"


def test_a_run_that_was_started_by_other_means_appears(stack: Stack, api: httpx.Client) -> None:
    run = f"elsewhere-{uuid.uuid4().hex}"
    body = {"workflow": "task_chain", "instance_id": run, "input": 1}
    with engine_client(stack) as orchestrator:
        assert orchestrator.post("/instances", json=body).is_success
    batch = start(api, "batch_processing", 65)
    wait_for_end(api, batch)

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get("/runs", params={"q": run}).json()["runs"]
        return found

    (found,) = eventually("the run is found", listed, seconds=60) or []
    assert (found["origin"], found["workflow"]) == ("engine", "task_chain")
    assert wait_for_end(api, run)["output"] == [2, 4, 16]
    problem(api.post("/workflows/task_chain", params={"instance_id": run}, json=1), 409)
    # Children are no runs: two of them ran in the batch.
    children = api.get("/runs", params={"q": batch}).json()["runs"]
    assert [child["instance_id"] for child in children] == [batch]


def test_suspended_runs_are_resumed_by_one_request(api: httpx.Client) -> None:
    mark = f"bulk-{uuid.uuid4().hex[:8]}"
    runs = [f"{mark}-{number}" for number in range(3)]
    for run in runs:
        query = {"instance_id": run}
        assert api.post("/workflows/request_escalation", params=query, json=ORDER).is_success
    for action, state in (("suspend", "SUSPENDED"), ("resume", "RUNNING")):
        for run in runs:
            wait_for_state(api, run, "RUNNING" if action == "suspend" else "SUSPENDED")
        dry = api.post(f"/bulk/{action}", params={"q": mark}).json()
        assert dry["count"] == 3
        done = api.post(f"/bulk/{action}", params={"q": mark}, json={"token": dry["token"]})
        assert done.json() == {"action": action, "count": 3, "accepted": 3, "refused": []}
        for run in runs:
            wait_for_state(api, run, state)


def test_two_processes_share_the_outbox_and_bring_each_start_and_event_once(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    runs = [start(api, "request_escalation", ORDER) for _ in range(8)]
    for _ in range(2):
        for action in ("suspend", "resume"):
            for run in runs:
                do(api, run, action)

    def delivered(run: str) -> bool:
        events = api.get(f"/runs/{run}/events").json()["events"]
        return [event["state"] for event in events] == ["delivered"] * 4

    for run in runs:
        eventually("all events are there", partial(delivered, run), seconds=30)
        history = api.get(f"/runs/{run}/history").json()["events"]
        kinds = [event["type"] for event in history]
        assert kinds.count("EVENT_RAISED") == 4
        assert kinds.count("EXECUTION_STARTED") == 1
        raised = [event["name"] for event in history if event["type"] == "EVENT_RAISED"]
        assert raised == ["suspend", "resume"] * 2
        do(api, run, "terminate")

    def processes() -> int:
        # Each has several sessions in the database; all of them have its name.
        query = (
            "SELECT count(DISTINCT application_name) FROM pg_stat_activity"
            " WHERE application_name LIKE :own"
        )
        own = f"{stack.app_ids['status-api']}/%"
        with db.connect() as connection:
            return int(connection.scalar(text(query), {"own": own}) or 0)

    eventually("both processes are at work", lambda: processes() == 2)


def engine_reads(api: httpx.Client) -> float:
    return total(api.get("/metrics").text, "holdfast_engine_reads_total")


def test_500_clients_that_poll_one_run_cost_the_engine_one_read_at_a_time(
    stack: Stack, api: httpx.Client
) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    header = {"Authorization": f"Bearer {stack.token('viewer')}"}
    answered: list[int] = []

    async def poll(client: httpx.AsyncClient) -> None:
        for _ in range(4):
            answer = await client.get(f"/status/{run}", headers=header)
            answered.append(answer.status_code)

    async def crowd() -> float:
        begun = asyncio.get_running_loop().time()
        # A connection each time: one that waits for long on a busy machine is closed by the server
        # just as the next request is on its way, which any client has to expect (RFC 9112, 9.3.1).
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            base_url=stack.api_url, limits=limits, timeout=120, trust_env=False
        ) as client:
            await asyncio.gather(*(poll(client) for _ in range(500)))
        return asyncio.get_running_loop().time() - begun

    before = engine_reads(api)
    seconds = asyncio.run(crowd())
    reads = engine_reads(api) - before
    assert answered == [200] * 2000
    # One answer serves 50 ms, and the refresher looks now and then at this and at other runs.
    assert reads <= seconds / 0.05 + 100
    assert reads < 1000


@pytest.mark.timeout(400)
def test_500_clients_that_stream_one_run_all_hear_of_its_end_and_others_are_answered(
    stack: Stack, api: httpx.Client
) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    header = {"Authorization": f"Bearer {stack.token('viewer')}"}
    # A client may be told more than once that the run goes on: its timer is found out meanwhile.
    told: set[int] = set()
    heard: list[str] = []
    waited: list[float] = []

    async def follow(client: httpx.AsyncClient, number: int) -> None:
        async with client.stream("GET", f"/runs/{run}/stream", headers=header) as stream:
            assert stream.status_code == 200
            async for line in stream.aiter_lines():
                if line.startswith("data: ") and '"RUNNING"' in line:
                    told.add(number)
                elif line.startswith("data: "):
                    heard.append(line)

    async def crowd() -> None:
        limits = httpx.Limits(max_connections=510)
        async with httpx.AsyncClient(
            base_url=stack.api_url, limits=limits, timeout=120, trust_env=False
        ) as client:
            following = [asyncio.create_task(follow(client, n)) for n in range(500)]
            await asyncio.to_thread(
                eventually, "all are told", lambda: len(told) == 500, seconds=200
            )
            begun = asyncio.get_running_loop().time()
            answer = await client.get(f"/status/{run}", headers=header)
            waited.append(asyncio.get_running_loop().time() - begun)
            assert answer.status_code == 200
            await asyncio.to_thread(do, api, run, "terminate")
            await asyncio.gather(*following)

    before = engine_reads(api)
    asyncio.run(crowd())
    assert len(heard) == 500
    assert all('"state":"TERMINATED"' in line for line in heard)
    assert waited[0] < 30
    assert engine_reads(api) - before < 1000


def test_many_who_wait_for_one_run_all_hear_of_its_end(api: httpx.Client, stack: Stack) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    heard: list[str] = []
    ready = threading.Barrier(21, timeout=30)

    def wait() -> None:
        with client_of(stack, 60) as client:
            ready.wait()
            with client.stream("GET", f"/runs/{run}/stream") as stream:
                heard.append("".join(stream.iter_text()))

    waiting = [threading.Thread(target=wait) for _ in range(20)]
    for thread in waiting:
        thread.start()
    ready.wait()
    do(api, run, "terminate")
    for thread in waiting:
        thread.join(timeout=60)
    assert len(heard) == 20
    assert all('"state":"TERMINATED"' in stream for stream in heard)
