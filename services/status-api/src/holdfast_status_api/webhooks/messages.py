"""From a row of the outbox to the CloudEvent that is sent, the same bytes in every attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent


class RunEvent(StrEnum):
    """What a webhook can subscribe to."""

    STARTED = "dev.holdfast.run.started"
    WAITING = "dev.holdfast.run.waiting"
    COMPLETED = "dev.holdfast.run.completed"
    FAILED = "dev.holdfast.run.failed"
    CANCELLED = "dev.holdfast.run.cancelled"
    TERMINATED = "dev.holdfast.run.terminated"


@dataclass(frozen=True)
class Message:
    """A lifecycle event on its way to one webhook."""

    webhook_id: str
    event_id: str
    url: str
    secret: str
    type: str
    instance_id: str
    seq: int
    data: dict[str, Any]
    occurred_at: datetime
    attempt: int


def body_of(message: Message, source: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a structured CloudEvent."""
    event = CloudEvent(
        attributes={
            "id": message.event_id,
            "source": f"/{source}",
            "type": message.type,
            "subject": message.instance_id,
            "time": message.occurred_at,
            "datacontenttype": "application/json",
            # Of two events of one run the later one has the greater value (its digits are padded).
            "sequence": f"{message.seq:020}",
        },
        data=message.data,
    )
    http = to_structured_event(event)
    return http.body, dict(http.headers)
