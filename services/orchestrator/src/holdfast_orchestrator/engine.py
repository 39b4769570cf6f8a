"""The few names that the SDK does not export, imported in one place."""

from dapr.ext.workflow._durabletask.client import TaskHubGrpcClient
from dapr.ext.workflow._durabletask.internal.protos import CreateInstanceRequest, HistoryEvent
from dapr.ext.workflow._durabletask.task import Task, TaskFailedError

__all__ = ["CreateInstanceRequest", "HistoryEvent", "Task", "TaskFailedError", "TaskHubGrpcClient"]
