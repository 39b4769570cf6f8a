"""The outbox of deliveries, as the couriers of all processes share it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Update, func, literal, text, update

from holdfast_status_api.outbox import Backlog
from holdfast_status_api.tables import deliveries
from holdfast_status_api.webhooks.messages import Message

_LONGEST_RETRY_SECONDS = 3600.0
_SHOWN_ERROR_CHARACTERS = 500
_KEPT_DAYS = 7

#: Some rows of each webhook, so that none can take all couriers; of a run only the first event
#: that is open, and rows that another process looks at are passed over.
_CLAIM = text("""
    WITH due AS MATERIALIZED (
        SELECT d.webhook_id, d.event_id, w.url, w.secret
        FROM status.webhooks w
        CROSS JOIN LATERAL (
            SELECT open.webhook_id, open.event_id, open.next_attempt_at
            FROM status.deliveries open
            WHERE open.webhook_id = w.webhook_id
              AND open.delivered_at IS NULL AND open.dead_at IS NULL
              AND open.next_attempt_at <= clock_timestamp()
              AND NOT EXISTS (
                  SELECT FROM status.deliveries earlier
                  WHERE earlier.webhook_id = open.webhook_id
                    AND earlier.instance_id = open.instance_id AND earlier.seq < open.seq
                    AND earlier.delivered_at IS NULL AND earlier.dead_at IS NULL)
            ORDER BY open.next_attempt_at, open.seq
            LIMIT :of_each
            FOR UPDATE SKIP LOCKED
        ) d
        WHERE w.webhook_id <> ALL (CAST(:busy AS text[]))
        ORDER BY d.next_attempt_at
        LIMIT :most
    )
    UPDATE status.deliveries d
    SET attempts = d.attempts + 1, claimed_by = :owner,
        next_attempt_at = clock_timestamp() + CAST(:lease AS interval)
    FROM due, status.lifecycle event
    WHERE d.webhook_id = due.webhook_id AND d.event_id = due.event_id
      AND event.event_id = d.event_id
    RETURNING d.webhook_id, d.event_id, due.url, due.secret, event.type, d.instance_id, d.seq,
              event.data, event.occurred_at, d.attempts AS attempt
""")
_BACKLOG = text("""
    SELECT count(*) AS depth,
           coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS oldest
    FROM status.deliveries WHERE delivered_at IS NULL AND dead_at IS NULL
""")
_FORGET = (
    text("""
        DELETE FROM status.deliveries d
        WHERE d.delivered_at < clock_timestamp() - CAST(:kept AS interval)
           OR NOT EXISTS (SELECT FROM status.webhooks w WHERE w.webhook_id = d.webhook_id)
    """),
    # The row of a run that goes on stays: it is what keeps the event from being made again.
    text("""
        DELETE FROM status.lifecycle event
        USING status.runs run
        WHERE run.instance_id = event.instance_id AND run.terminal
          AND event.recorded_at < clock_timestamp() - CAST(:kept AS interval)
          AND NOT EXISTS (SELECT FROM status.deliveries d WHERE d.event_id = event.event_id)
    """),
)


class Deliveries:
    """What is to be delivered. A claim is a lease: who dies or freezes loses it to another."""

    def __init__(
        self,
        engine: Engine,
        owner: str,
        *,
        lease_seconds: float,
        attempts: int,
        first_retry_seconds: float,
    ) -> None:
        self._engine = engine
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._owner = owner
        self._lease = timedelta(seconds=lease_seconds)
        self._attempts = attempts
        self._first_retry_seconds = first_retry_seconds

    def claim(self, most: int, of_each: int, busy: Iterable[str]) -> list[Message]:
        """Take messages that are due and that nobody holds, a few of each webhook.

        Of one run a webhook gets the next event when the one before has arrived or died.
        """
        values = {
            "most": most,
            "of_each": of_each,
            "busy": list(busy),
            "owner": self._owner,
            "lease": self._lease,
        }
        with self._single.connect() as connection:
            return [Message(**row._mapping) for row in connection.execute(_CLAIM, values)]  # noqa: SLF001

    def arrived(self, message: Message) -> None:
        """Note that the receiver took it, also when the lease had ended by then."""
        self._note(
            _row(message)
            .where(deliveries.c.delivered_at.is_(None))
            .values(delivered_at=_now(), dead_at=None, claimed_by=None, last_error=None)
        )

    def failed(self, message: Message, why: str) -> bool:
        """Try again later, or never after the last attempt; tell whether that was it."""
        dead = message.attempt >= self._attempts
        self._note(
            _row(message)
            .where(deliveries.c.claimed_by == self._owner, deliveries.c.delivered_at.is_(None))
            .values(
                claimed_by=None,
                last_error=why[:_SHOWN_ERROR_CHARACTERS],
                dead_at=_now() if dead else None,
                next_attempt_at=_now() + timedelta(seconds=self.pause_seconds(message.attempt)),
            )
        )
        return dead

    def pause_seconds(self, attempt: int) -> float:
        """Return how long to wait after that attempt: doubled each time, with half of it chance."""
        grown = self._first_retry_seconds * 2.0 ** min(attempt - 1, 32)
        return min(grown, _LONGEST_RETRY_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def release(self) -> None:
        """Give back what this process holds, for others to take at once."""
        self._note(
            update(deliveries)
            .where(deliveries.c.claimed_by == self._owner, deliveries.c.delivered_at.is_(None))
            .values(claimed_by=None, next_attempt_at=_now())
        )

    def backlog(self) -> Backlog:
        """Return how much waits to be delivered, for all webhooks together."""
        with self._engine.connect() as connection:
            row = connection.execute(_BACKLOG).one()
        return Backlog(row.depth, float(row.oldest))

    def forget(self) -> None:
        """Drop what was delivered long ago and what waits for a webhook that is gone."""
        with self._engine.begin() as connection:
            for statement in _FORGET:
                connection.execute(statement, {"kept": timedelta(days=_KEPT_DAYS)})

    def _note(self, change: Update) -> None:
        with self._engine.begin() as connection:
            connection.execute(change)


def _row(message: Message) -> Update:
    return update(deliveries).where(
        deliveries.c.webhook_id == message.webhook_id,
        deliveries.c.event_id == literal(message.event_id),
    )


def _now() -> ColumnElement[Any]:
    return func.clock_timestamp()
