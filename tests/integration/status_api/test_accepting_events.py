"""Which events the API accepts; the ledger's facts are written here as the worker writes them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_contracts.agreements import event_lock
from tests.integration.status_api.asking import problem
from tests.support.examples import APPROVAL, ORDER, TRIP
from tests.support.postgres import Database
from tests.support.runs import start
from tests.support.waiting import eventually


def decide(rows: Engine, instance: str, event_id: str | None = None) -> None:
    with rows.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO work.decisions (instance, verdict, by, comment, event_id, key)"
                " VALUES (:instance, 'approved', 'Grace', '', :event_id, :instance)"
            ),
            {"instance": instance, "event_id": event_id},
        )


def close(rows: Engine, instance: str) -> None:
    with rows.begin() as connection:
        connection.execute(
            text("INSERT INTO work.closed_runs (instance, key) VALUES (:id, :id)"),
            {"id": instance},
        )


def states(api: httpx.Client, instance: str) -> list[str]:
    answer = api.get(f"/runs/{instance}/events")
    assert answer.status_code == 200
    return [event["state"] for event in answer.json()["events"]]


def test_an_event_is_accepted_while_nobody_can_take_it(lone_api: httpx.Client) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    answer = lone_api.post(f"/runs/{run}/events/human_approval", json=APPROVAL)
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["name"], receipt["state"]) == ("human_approval", "pending")
    (listed,) = lone_api.get(receipt["links"]["events"]).json()["events"]
    assert listed["event_id"] == receipt["event_id"]
    assert (listed["state"], listed["delivered_at"], listed["consumed_at"]) == (
        "pending",
        None,
        None,
    )


def test_an_event_of_an_unknown_run_is_a_404(lone_api: httpx.Client) -> None:
    problem(lone_api.post("/runs/never-seen/events/human_approval", json=APPROVAL), 404)


def test_an_event_that_the_workflow_does_not_declare_is_a_404_that_names_those_it_does(
    lone_api: httpx.Client,
) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    body = problem(lone_api.post(f"/runs/{run}/events/humanapproval", json=APPROVAL), 404)
    assert "human_approval" in body["detail"]


def test_cancel_is_a_409_for_a_workflow_that_declares_no_cancellation(
    lone_api: httpx.Client,
) -> None:
    run = start(lone_api, "task_chain", 1)
    problem(lone_api.post(f"/runs/{run}/events/cancel", json={}), 409)
    trip = start(lone_api, "book_trip", TRIP)
    assert lone_api.post(f"/runs/{trip}/events/cancel", json={}).status_code == 202


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({}, {"/approved"}),
        ({"approved": "yes", "by": "Grace"}, {"/approved"}),
        ({"approved": 1, "by": "Grace"}, {"/approved"}),
        ({"approved": True, "by": "Grace", "amount": 1}, {"/amount"}),
        (True, {""}),
        ([], {""}),
        ("approved", {""}),
    ],
)
def test_an_approval_that_is_no_approval_is_a_422(
    lone_api: httpx.Client, document: object, pointers: set[str]
) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    answer = lone_api.post(f"/runs/{run}/events/human_approval", json=document)
    assert {fault["pointer"] for fault in problem(answer, 422)["errors"]} == pointers
    assert states(lone_api, run) == []


def test_an_approval_of_an_order_that_was_decided_is_a_409(
    lone_api: httpx.Client, rows: Engine
) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    decide(rows, run)
    body = problem(lone_api.post(f"/runs/{run}/events/human_approval", json=APPROVAL), 409)
    assert body["verdict"] == "approved"
    assert states(lone_api, run) == []


def test_an_event_of_a_run_that_was_closed_is_a_409(lone_api: httpx.Client, rows: Engine) -> None:
    run = start(lone_api, "book_trip", TRIP)
    close(rows, run)
    problem(lone_api.post(f"/runs/{run}/events/cancel", json={}), 409)


def test_of_two_approvals_the_ledger_says_which_counted(
    lone_api: httpx.Client, rows: Engine
) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    first, second = (
        lone_api.post(f"/runs/{run}/events/human_approval", json=APPROVAL | {"by": name})
        for name in ("Grace", "Ada")
    )
    assert (first.status_code, second.status_code) == (202, 202)
    with rows.begin() as connection:
        connection.execute(
            text("INSERT INTO work.consumed_events (event_id, instance, key) VALUES (:e, :i, :i)"),
            {"e": first.json()["event_id"], "i": run},
        )
    decide(rows, run, first.json()["event_id"])
    close(rows, run)
    assert states(lone_api, run) == ["consumed", "expired"]


def test_acceptance_waits_for_a_decision_that_is_being_made(
    lone_api: httpx.Client, rows: Engine
) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    with rows.connect() as deciding, ThreadPoolExecutor(1) as other:
        deciding.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": event_lock(run)},
        )
        answer = other.submit(lone_api.post, f"/runs/{run}/events/human_approval", json=APPROVAL)
        eventually("the API waits", lambda: _someone_waits_for_a_lock(rows))
        deciding.execute(
            text(
                "INSERT INTO work.decisions (instance, verdict, by, comment, key)"
                " VALUES (:instance, 'timed_out', 'the clock', '', :instance)"
            ),
            {"instance": run},
        )
        deciding.commit()
        assert problem(answer.result(), 409)["verdict"] == "timed_out"


def test_an_idempotency_key_makes_one_event_of_two_requests(
    lone_api: httpx.Client, rows: Engine
) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    header = {"Idempotency-Key": uuid.uuid4().hex}
    path = f"/runs/{run}/events/human_approval"
    with ThreadPoolExecutor(10) as clients:
        answers = list(
            clients.map(lambda _: lone_api.post(path, json=APPROVAL, headers=header), range(10))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    other = APPROVAL | {"approved": False}
    problem(lone_api.post(path, json=other, headers=header), 422)
    decide(rows, run)
    again = lone_api.post(path, json=APPROVAL, headers=header)
    assert again.text == answers[0].text
    assert states(lone_api, run) == ["pending"]


def test_the_worker_may_read_accepted_events_and_nothing_else_of_ours(
    database: Database, rows: Engine
) -> None:
    with rows.connect() as connection:
        granted = connection.execute(
            text(
                "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
                " WHERE grantee = 'holdfast_worker' AND table_schema = 'status'"
            )
        )
        assert {(row.table_name, row.privilege_type) for row in granted} == {("events", "SELECT")}


def test_the_api_may_not_write_the_ledger(rows: Engine) -> None:
    with rows.connect() as connection:
        granted = connection.execute(
            text(
                "SELECT table_schema, table_name, privilege_type"
                " FROM information_schema.role_table_grants"
                " WHERE grantee = 'holdfast_status' AND table_schema IN ('work', 'ledger')"
            )
        ).all()
    written = {
        (row.table_schema, row.table_name) for row in granted if row.privilege_type != "SELECT"
    }
    assert written == {("work", "batches"), ("work", "batch_legs")}


def _someone_waits_for_a_lock(rows: Engine) -> bool:
    with rows.connect() as connection:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(connection.scalar(text(query)))
