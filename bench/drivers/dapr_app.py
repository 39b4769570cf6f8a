"""Workflows and activities as Dapr's samples write them: in one app, or in two.

Split, it is Holdfast's own shape without its ledger, its outbox and its helpers: what is left is
what those cost.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import (
    DaprWorkflowContext,
    WorkflowActivityContext,
    WorkflowRuntime,
    when_all,
)

Steps = Generator[Any, Any, Any]


def add_one(_ctx: WorkflowActivityContext, value: int) -> int:
    """Add one."""
    return value + 1


def double(_ctx: WorkflowActivityContext, value: int) -> int:
    """Double."""
    return value * 2


def square(_ctx: WorkflowActivityContext, value: int) -> int:
    """Square."""
    return value**2


def chain(ctx: DaprWorkflowContext, value: int) -> Steps:
    """Run three steps, each on the result of the one before."""
    first = yield ctx.call_activity(add_one, input=value, app_id=_target())
    second = yield ctx.call_activity(double, input=first, app_id=_target())
    third = yield ctx.call_activity(square, input=second, app_id=_target())
    return [first, second, third]


def fan_out(ctx: DaprWorkflowContext, items: int) -> Steps:
    """Run a step for each item, all in one workflow."""
    results = yield when_all(
        [ctx.call_activity(square, input=index, app_id=_target()) for index in range(items)]
    )
    return len(results)


def park(ctx: DaprWorkflowContext, _value: int) -> Steps:
    """Wait for an event."""
    yield ctx.wait_for_external_event("go")


def _target() -> str | None:
    """Name the app that has the activities, where it is another one."""
    return os.environ.get("BENCH_ACTIVITY_APP_ID") or None


def main(parts: set[str]) -> None:
    """Run until a signal."""
    threads = os.environ.get("BENCH_THREADS")
    runtime = WorkflowRuntime(
        host="127.0.0.1",
        port=os.environ["DAPR_GRPC_PORT"],
        maximum_thread_pool_workers=int(threads) if threads else None,
    )
    if "workflows" in parts:
        for workflow in (chain, fan_out, park):
            runtime.register_workflow(workflow)
    if "activities" in parts:
        for activity in (add_one, double, square):
            runtime.register_activity(activity)
    runtime.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    runtime.shutdown()


if __name__ == "__main__":
    main(set(sys.argv[1:]))
