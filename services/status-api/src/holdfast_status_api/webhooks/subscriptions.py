"""Who is told of what, and what could not be told."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from holdfast_status_api.tables import deliveries, lifecycle, webhooks

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Webhook:
    """A subscription; what waits and what died is counted when it is looked at."""

    webhook_id: str
    url: str
    types: tuple[str, ...]
    created_by: str
    created_at: datetime
    waiting: int = 0
    dead: int = 0


@dataclass(frozen=True)
class DeadLetter:
    """A delivery that was given up."""

    event_id: str
    type: str
    instance_id: str
    occurred_at: datetime
    attempts: int
    dead_at: datetime
    last_error: str
    data: dict[str, Any]


def subscribe(
    engine: Engine, url: str, types: Iterable[str], secret: str | None, created_by: str
) -> tuple[Webhook, str]:
    """Store a subscription and return it with its secret, which is never shown again."""
    secret = secret or secrets.token_urlsafe(_SECRET_BYTES)
    webhook_id = uuid.uuid4().hex
    wanted = sorted(set(types))
    with engine.begin() as connection:
        created_at = connection.scalar(
            insert(webhooks)
            .values(
                webhook_id=webhook_id, url=url, types=wanted, secret=secret, created_by=created_by
            )
            .returning(webhooks.c.created_at)
        )
    if created_at is None:
        raise LookupError("an insert that returns its row returned none")
    return Webhook(webhook_id, url, tuple(wanted), created_by, created_at), secret


def subscriptions(engine: Engine) -> list[Webhook]:
    """Return all subscriptions, the oldest first."""
    open_ = deliveries.c.delivered_at.is_(None)
    counted = (
        select(
            func.count().filter(open_ & deliveries.c.dead_at.is_(None)).label("waiting"),
            func.count().filter(deliveries.c.dead_at.is_not(None)).label("dead"),
        )
        .where(deliveries.c.webhook_id == webhooks.c.webhook_id, open_)
        .lateral()
    )
    query = select(webhooks, counted.c.waiting, counted.c.dead).order_by(
        webhooks.c.created_at, webhooks.c.webhook_id
    )
    with engine.connect() as connection:
        return [
            Webhook(
                row.webhook_id,
                row.url,
                tuple(row.types),
                row.created_by,
                row.created_at,
                row.waiting,
                row.dead,
            )
            for row in connection.execute(query)
        ]


def unsubscribe(engine: Engine, webhook_id: str) -> bool:
    """Remove a subscription and all that waits for it; tell whether there was one."""
    with engine.begin() as connection:
        found = connection.execute(delete(webhooks).where(webhooks.c.webhook_id == webhook_id))
        connection.execute(delete(deliveries).where(deliveries.c.webhook_id == webhook_id))
    return found.rowcount == 1


def dead_letters(engine: Engine, webhook_id: str, limit: int) -> list[DeadLetter] | None:
    """Return what was given up, in the order of the events, or ``None`` without such a webhook."""
    query = (
        select(deliveries, lifecycle.c.type, lifecycle.c.data, lifecycle.c.occurred_at)
        .join(lifecycle, lifecycle.c.event_id == deliveries.c.event_id)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.dead_at.is_not(None))
        .order_by(deliveries.c.seq)
        .limit(limit)
    )
    with engine.connect() as connection:
        if not connection.scalar(_exists(webhook_id)):
            return None
        return [
            DeadLetter(
                row.event_id,
                row.type,
                row.instance_id,
                row.occurred_at,
                row.attempts,
                row.dead_at,
                row.last_error or "",
                row.data,
            )
            for row in connection.execute(query)
        ]


def redeliver(engine: Engine, webhook_id: str, event_ids: Sequence[str] | None) -> int | None:
    """Try dead letters again, all or those named; return how many, or ``None`` without webhook."""
    chosen = [deliveries.c.webhook_id == webhook_id, deliveries.c.dead_at.is_not(None)]
    if event_ids is not None:
        chosen.append(deliveries.c.event_id.in_(event_ids))
    with engine.begin() as connection:
        if not connection.scalar(_exists(webhook_id)):
            return None
        revived = connection.execute(
            update(deliveries)
            .where(*chosen)
            .values(dead_at=None, attempts=0, next_attempt_at=func.clock_timestamp())
        )
    return int(revived.rowcount)


def _exists(webhook_id: str) -> Any:
    return select(select(webhooks.c.webhook_id).where(webhooks.c.webhook_id == webhook_id).exists())
