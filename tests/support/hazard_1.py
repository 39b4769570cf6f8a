"""The engine's worst: a run that it can never load again (docs/hazards.md)."""

from __future__ import annotations

import httpx

from holdfast_local.stack import Stack
from tests.support.examples import APPROVAL, ORDER
from tests.support.metrics import total
from tests.support.runs import start, wait_for_state
from tests.support.stacks import without
from tests.support.waiting import eventually


def provoke(stack: Stack, api: httpx.Client) -> str:
    """Let a time-out fire and an event arrive with the worker away, then kill the sidecar."""
    run = start(api, "request_escalation", {**ORDER, "approval_window_seconds": 3})
    wait_for_state(api, run, "RUNNING")
    before = failed_turns(stack)
    with without(stack, "activity-worker", "activity-worker-sidecar"):
        # The turn with the fired timer could not be dispatched, or what follows it could not.
        eventually("a turn fails to dispatch", lambda: failed_turns(stack) > before, seconds=60)
        accepted = api.post(f"/runs/{run}/events/human_approval", json=APPROVAL)
        assert accepted.status_code == 202
        eventually("the engine has the event", lambda: receipt(api, run) != "pending", seconds=60)
        assert stack.kill("orchestrator-sidecar")
    return run


def failed_turns(stack: Stack) -> float:
    """Count the turns that the engine has to repeat."""
    port = stack.ports["orchestrator-sidecar-metrics"]
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return total(page, "dapr_runtime_workflow_execution_count", status="recoverable")


def receipt(api: httpx.Client, run: str) -> str:
    """Return how far the run's first event has come."""
    return str(api.get(f"/runs/{run}/events").json()["events"][0]["state"])
