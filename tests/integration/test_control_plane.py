"""Dapr's own processes die in the middle of runs."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import Engine

from holdfast_local.stack import Stack
from tests.support.ledger import steps
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("victim", ["scheduler", "placement", "postgres"])
def test_runs_go_on_when_what_was_killed_under_them_is_back(
    stack: Stack, api: httpx.Client, db: Engine, victim: str
) -> None:
    batch = start(api, "batch_processing", 150)
    failing = start(api, "task_chain", -1)
    parked = start(api, "request_escalation", {"amount": 5000, "approval_window_seconds": 6})
    eventually("the batch is in the middle", lambda: measured(db, batch) > 20, seconds=60)
    before = stack.pid(victim)
    assert stack.kill(victim)
    chain = eventually("a start is accepted", lambda: accepted(api), seconds=60)
    assert wait_for_end(api, batch)["output"]["count"] == 150
    assert wait_for_end(api, failing)["state"] == "FAILED"
    assert wait_for_end(api, parked)["output"]["verdict"] == "timed_out"
    assert wait_for_end(api, chain)["output"] == [2, 4, 16]
    assert stack.pid(victim) != before
    assert measured(db, batch) == 150


def test_the_sidecar_of_the_orchestrator_was_told_how_long_calls_may_go_on(stack: Stack) -> None:
    hosted = f"Registering hosted actors: [{stack.app_ids['orchestrator']}.none]"

    assert hosted in stack.folder.log("orchestrator-sidecar").read_text()


def accepted(api: httpx.Client) -> str:
    """A new run's ID, or nothing while the database is away."""
    answer = api.post("/workflows/task_chain", json=1)
    if answer.status_code == 503:
        assert answer.headers["Retry-After"]
        return ""
    assert answer.status_code == 202, answer.text
    return str(answer.json()["instance_id"])


def measured(db: Engine, run: str) -> int:
    return steps(db, run).count("process_work_item")
