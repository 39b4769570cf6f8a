"""A run's history as JSON: all that the engine has, by the names that the SDK gives to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from dapr.ext.workflow.workflow_management import WorkflowHistoryEventType
from google.protobuf.timestamp_pb2 import Timestamp

from holdfast_orchestrator.engine import HistoryEvent


def rfc3339(moment: datetime) -> str:
    """Write a naive UTC time, as the SDK gives it, as RFC 3339."""
    return moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def parsed(text: str | None) -> Any:
    """Read a payload of the engine; what is no JSON is handed on as it is."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def describe(event: HistoryEvent) -> dict[str, Any]:
    """Return one history event with everything in it that tells its part of the story."""
    kind: str | None = event.WhichOneof("eventType")
    payload: Any = None if kind is None else getattr(event, kind)
    described: dict[str, Any] = {
        "event_id": event.eventId,
        "timestamp": rfc3339(event.timestamp.ToDatetime()),
        "type": WorkflowHistoryEventType(kind).name,
        "name": getattr(payload, "name", "") or None,
        "task_scheduled_id": getattr(payload, "taskScheduledId", None),
        "failure": None,
    }
    if kind == "timerFired":
        described["timer_id"] = payload.timerId
    if kind == "timerCreated" and payload.WhichOneof("origin") == "externalEvent":
        # The time-out of a wait: the name tells what is waited for.
        described["event"] = payload.externalEvent.name
    if kind == "executionStalled":
        described["detail"] = payload.description
    if event.router.targetAppID:
        described["app_id"] = event.router.targetAppID
    for field in ("input", "result"):
        value: Any = getattr(payload, field, None)
        if value is not None and value.value:
            described[field] = parsed(value.value)
    instance_id = getattr(payload, "instanceId", "")
    if instance_id:
        described["instance_id"] = instance_id
    fire_at = getattr(payload, "fireAt", None)
    if isinstance(fire_at, Timestamp) and fire_at.seconds:
        described["fire_at"] = rfc3339(fire_at.ToDatetime())
    failure = getattr(payload, "failureDetails", None)
    if failure is not None and failure.errorType:
        described["failure"] = {"type": failure.errorType, "message": failure.errorMessage}
    return described
