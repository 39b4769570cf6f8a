"""What the services log: JSON, in each record whose it is, and nothing more at a replay."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import pytest

from holdfast_local.identity import SERVICES
from holdfast_local.stack import Stack
from tests.support.logs import records, records_of
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

#: Approved at once, without a person.
SMALL_ORDER = {"amount": 10}
#: They log a start, as often as it is tried, and a read that a busy run makes fail once.
CLIENTS = {"durabletask-client", "DaprWorkflowClient"}


def test_every_line_is_json_and_names_its_run(stack: Stack, api: httpx.Client, hook: str) -> None:
    run = start(api, "task_chain", -1)
    assert wait_for_end(api, run)["state"] == "FAILED"
    told = {
        service: eventually(
            f"{service} has told of the run", partial(records_of, stack, service, run), seconds=30
        )
        for service in SERVICES
    }
    for service, found in told.items():
        for record in found:
            assert {"event", "level", "logger", "timestamp"} <= record.keys()
            assert record["service"].startswith(service), record
    # Every attempt that failed says of what effect it was one.
    failed = told["activity-worker"]
    assert {(record["key"], record["level"]) for record in failed} == {
        (f"{run}|0|step2|0", "warning")
    }
    assert "step2 doubles" in failed[0]["event"]

    def undelivered() -> bool:
        about = records_of(stack, "status-api", run)
        return hook in {record.get("webhook") for record in about}

    eventually("the status API has told of the webhook", undelivered)


def test_a_replay_logs_nothing(stack: Stack, api: httpx.Client) -> None:
    # Of one step, and of three that wait for each other: each answer is a turn of its own.
    few = start(api, "request_escalation", SMALL_ORDER)
    many = start(api, "task_chain", 1)
    for run in (few, many):
        assert wait_for_end(api, run)["state"] == "COMPLETED"

    def turns(run: str) -> int:
        events = api.get(f"/runs/{run}/history").json()["events"]
        return [event["type"] for event in events].count("WORKFLOW_STARTED")

    # Each turn begins with a replay of all turns before it.
    assert turns(many) > turns(few) > 1

    def told_by_turns(run: str) -> list[dict[str, Any]]:
        """Return what names the run in any way, and was not logged for somebody who asked."""
        return [
            record
            for record in records(stack, "orchestrator")
            if run in json.dumps(record) and record["logger"] not in CLIENTS
        ]

    for run in (few, many):
        eventually(
            "the orchestrator has told of its start",
            partial(records_of, stack, "orchestrator", run),
        )
        assert told_by_turns(run) == []
