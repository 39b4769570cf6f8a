"""Deliver notifications at least once, to the webhook that the installation names."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import httpx
import structlog
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from holdfast_activity_worker.metrics import WorkerMetrics
from holdfast_activity_worker.session import in_a_line
from holdfast_servicekit.lasting import Lasting

POLL_SECONDS = 1.0
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_LONGEST_ERROR = 1_000

_log = structlog.get_logger()

_CLAIM = text("""
    SELECT id, instance, kind, payload, created_at FROM work.notifications
    WHERE delivered_at IS NULL AND next_attempt_at <= clock_timestamp()
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_DELIVERED = text("""
    UPDATE work.notifications
    SET delivered_at = clock_timestamp(), attempts = attempts + 1, last_error = NULL
    WHERE id = :id
""")
_FAILED = text("""
    UPDATE work.notifications
    SET attempts = attempts + 1, last_error = :error,
        next_attempt_at = clock_timestamp()
            + make_interval(secs => least(300, :first_delay * power(2, least(attempts, 16))))
    WHERE id = :id
""")
_BACKLOG = text("""
    SELECT count(*) AS depth,
           coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS oldest
    FROM work.notifications WHERE delivered_at IS NULL
""")


class Notification(NamedTuple):
    """A row of the outbox that is due."""

    id: str
    instance: str
    kind: str
    payload: dict[str, Any]
    created_at: datetime


class Outbox(Lasting):
    """A thread that posts what is due. Several processes may do it at once."""

    def __init__(
        self,
        engine: Engine,
        webhook_url: str | None,
        source: str,
        metrics: WorkerMetrics,
        *,
        poll_seconds: float = POLL_SECONDS,
        first_delay_seconds: float = 1.0,
    ) -> None:
        patience = sum((_TIMEOUT.connect or 0, _TIMEOUT.read or 0))
        super().__init__("outbox", "the outbox of notifications", stop_seconds=patience)
        self._engine = engine
        self._url = webhook_url
        self._source = source
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._first_delay_seconds = first_delay_seconds
        # A transport of its own: the webhook's address is explicit, a proxy would not be.
        self._client = httpx.Client(timeout=_TIMEOUT, transport=httpx.HTTPTransport(retries=0))

    def stop(self) -> None:
        """End the thread after the delivery that is under way."""
        super().stop()
        self._client.close()

    def deliver_one(self) -> bool:
        """Try the notification that is due longest; return whether there was one.

        Its row stays locked until the answer is noted, so no other process tries it meanwhile. If
        this process dies in between, the lock goes with it and the notification is sent again.
        """
        if self._url is None:
            return False
        with self._engine.begin() as connection:
            row = connection.execute(_CLAIM).one_or_none()
            if row is None:
                return False
            error = self._post(self._url, Notification(*row))
            if error is None:
                connection.execute(_DELIVERED, {"id": row.id})
            else:
                connection.execute(
                    _FAILED,
                    {"id": row.id, "error": error, "first_delay": self._first_delay_seconds},
                )
        self._metrics.deliveries.labels("failed" if error else "delivered").inc()
        if error:
            _log.warning("notification not delivered", id=row.id, error=error)
        return True

    def measure(self) -> None:
        """Set the gauges to what is in the outbox now."""
        with self._engine.connect() as connection:
            backlog = connection.execute(_BACKLOG).one()
        self._metrics.outbox_depth.set(backlog.depth)
        self._metrics.outbox_oldest_seconds.set(float(backlog.oldest))

    def _run(self) -> None:
        said = None
        while not self._stop.wait(self._poll_seconds):
            try:
                while not self._stop.is_set() and self.deliver_one():
                    pass
                self.measure()
                said = None
            except SQLAlchemyError as error:
                if (reason := in_a_line(error)) != said:
                    _log.warning("outbox cannot be read", error=reason)
                said = reason

    def _post(self, url: str, notification: Notification) -> str | None:
        """Return what went wrong, or ``None``."""
        message = to_structured_event(cloud_event(notification, self._source))
        try:
            answer = self._client.post(url, content=message.body, headers=message.headers)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        return None if answer.is_success else f"the webhook answered {answer.status_code}"


def cloud_event(notification: Notification, source: str) -> CloudEvent:
    """Make the event; its id is the effect key, the same in every delivery."""
    return CloudEvent(
        attributes={
            "id": notification.id,
            "source": f"/{source}",
            "type": notification.kind,
            "subject": notification.instance,
            "time": notification.created_at,
            "datacontenttype": "application/json",
        },
        data=notification.payload,
    )
