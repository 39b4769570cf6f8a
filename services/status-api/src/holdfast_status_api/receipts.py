"""Accepting events, and telling what became of each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.engine import Row

from holdfast_contracts.core import CANCEL, RESUME, SUSPEND, Event
from holdfast_contracts.request_escalation import HUMAN_APPROVAL
from holdfast_servicekit import tracing
from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents
from holdfast_status_api.acceptance import key_reused
from holdfast_status_api.auth import audit
from holdfast_status_api.locks import take_turns
from holdfast_status_api.tables import closed_runs, consumed_events, decisions, events, runs

#: The events by which operators steer a run; each says why.
_STEERING = frozenset({SUSPEND.name, RESUME.name, CANCEL.name})


class EventState(StrEnum):
    """How far an accepted event came."""

    PENDING = "pending"
    DELIVERED = "delivered"
    CONSUMED = "consumed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Receipt:
    """An accepted event. ``consumed`` is what the ledger says, not what the engine says."""

    event_id: str
    name: str
    state: EventState
    accepted_at: datetime
    delivered_at: datetime | None = None
    consumed_at: datetime | None = None
    reason: str | None = None


def accept_event(
    engine: Engine,
    instance_id: str,
    event: Event,
    data: dict[str, Any],
    *,
    idempotency_key: str | None,
    strict: bool = False,
) -> Receipt:
    """Commit an event of a known run and return its receipt.

    A cancellation also resumes the run if it is suspended: it has to go on to undo. If ``strict``,
    a suspension of a run that is suspended is a 409, and so is the resumption of one that is not.

    Acceptance and the run's decision take turns under one lock: an approval that is accepted
    here is seen by a decision that comes later, and one that comes after it is a 409.
    """
    payload_hash = documents.fingerprint(event.name, data)
    steers = event.name in _STEERING
    if steers:
        audit.because(data["reason"])
    with engine.begin() as connection:
        take_turns(connection, instance_id)
        if idempotency_key is not None:
            first = connection.execute(
                select(events).where(
                    events.c.instance_id == instance_id,
                    events.c.idempotency_key == idempotency_key,
                )
            ).one_or_none()
            if first is not None and first.payload_hash != payload_hash:
                raise key_reused("Idempotency-Key")
            if first is not None:
                return Receipt(first.event_id, first.name, EventState.PENDING, first.accepted_at)
        _refuse_if_too_late(connection, instance_id, event)
        suspended = _will_be_suspended(connection, instance_id)
        if strict and suspended is (event.name == SUSPEND.name):
            raise Problem(
                HTTPStatus.CONFLICT,
                "The run is suspended" if suspended else "The run is not suspended",
                f"To {event.name} {instance_id} would change nothing.",
            )
        receipt = _insert(connection, instance_id, event, data, idempotency_key)
        if suspended and event.name == CANCEL.name:
            _insert(connection, instance_id, RESUME, {"reason": "cancelled"}, None)
        if steers:
            note_reason(connection, instance_id, data["reason"])
        audit.record(connection, HTTPStatus.ACCEPTED)
    return receipt


def receipts_of(engine: Engine, instance_id: str) -> list[Receipt]:
    """Return every event that was accepted for the run, in the order of acceptance."""
    query = (
        select(
            events,
            consumed_events.c.consumed_at,
            (runs.c.terminal | is_closed(instance_id)).label("over"),
        )
        .join(runs, runs.c.instance_id == events.c.instance_id)
        .outerjoin(consumed_events, consumed_events.c.event_id == events.c.event_id)
        .where(events.c.instance_id == instance_id)
        .order_by(events.c.seq)
    )
    with engine.connect() as connection:
        return [
            Receipt(
                row.event_id,
                row.name,
                _state(row),
                row.accepted_at,
                row.delivered_at,
                row.consumed_at,
                row.data.get("reason") if row.name in _STEERING else None,
            )
            for row in connection.execute(query)
        ]


def note_reason(connection: Connection, instance_id: str, reason: str) -> None:
    """Keep what was said why with the run; nothing, if nothing was said."""
    connection.execute(
        update(runs).where(runs.c.instance_id == instance_id).values(reason=reason or None)
    )


def _insert(
    connection: Connection,
    instance_id: str,
    event: Event,
    data: dict[str, Any],
    idempotency_key: str | None,
) -> Receipt:
    row = connection.execute(
        insert(events)
        .values(
            event_id=uuid.uuid4().hex,
            instance_id=instance_id,
            name=event.name,
            data=data,
            idempotency_key=idempotency_key,
            payload_hash=documents.fingerprint(event.name, data),
            traceparent=tracing.traceparent(),
        )
        .returning(events.c.event_id, events.c.accepted_at)
    ).one()
    return Receipt(row.event_id, event.name, EventState.PENDING, row.accepted_at)


def _will_be_suspended(connection: Connection, instance_id: str) -> bool:
    """Tell whether the run stands at its gate, once it has taken all that was accepted."""
    last = connection.scalar(
        select(events.c.name)
        .where(
            events.c.instance_id == instance_id,
            events.c.name.in_([SUSPEND.name, RESUME.name]),
        )
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    return bool(last == SUSPEND.name)


def _refuse_if_too_late(connection: Connection, instance_id: str, event: Event) -> None:
    over = connection.scalar(
        select(runs.c.terminal | is_closed(instance_id)).where(runs.c.instance_id == instance_id)
    )
    if over:
        raise Problem(
            HTTPStatus.CONFLICT, "The run has finished", f"{instance_id} takes no more events."
        )
    if event.name != HUMAN_APPROVAL.name:
        return
    verdict = connection.scalar(
        select(decisions.c.verdict).where(decisions.c.instance == instance_id)
    )
    if verdict is not None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "The order has been decided",
            f"The decision on {instance_id} is: {verdict}. An order gets one.",
            verdict=verdict,
        )


def is_closed(instance_id: str) -> Any:
    """Return whether the ledger has the run as ended, as SQL."""
    return select(closed_runs.c.instance).where(closed_runs.c.instance == instance_id).exists()


def is_cancelled(instance_id: str) -> Any:
    """Return whether a cancellation of the run was accepted, as SQL."""
    cancelled = events.c.instance_id == instance_id, events.c.name == CANCEL.name
    return select(events.c.event_id).where(*cancelled, events.c.expired_at.is_(None)).exists()


def _state(row: Row[Any]) -> EventState:
    if row.consumed_at is not None:
        return EventState.CONSUMED
    if row.expired_at is not None or row.over:
        return EventState.EXPIRED
    return EventState.PENDING if row.delivered_at is None else EventState.DELIVERED
