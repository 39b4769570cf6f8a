"""The few names that the SDK does not export, imported in one place."""

from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as messages
from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow._durabletask.client import TaskHubGrpcClient
from dapr.ext.workflow._durabletask.internal import protos, timer
from dapr.ext.workflow._durabletask.internal.protos import CreateInstanceRequest, HistoryEvent
from dapr.ext.workflow._durabletask.task import Task, TaskFailedError, TimerTask

__all__ = [
    "CreateInstanceRequest",
    "HistoryEvent",
    "Task",
    "TaskFailedError",
    "TaskHubGrpcClient",
    "TimerTask",
    "messages",
    "protos",
    "registry_of",
    "timer",
]


def registry_of(runtime: WorkflowRuntime) -> Any:
    """Return what is registered on a runtime, as `Executor` takes it."""
    worker: Any = vars(runtime)["_WorkflowRuntime__worker"]
    return vars(worker)["_registry"]
