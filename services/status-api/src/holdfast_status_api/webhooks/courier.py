"""Make the deliveries: a thread that claims, and a few that send.

Every serving process has a courier. A slow receiver occupies its own few threads and no others,
and gives them back when its time is up.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import structlog
from prometheus_client import Counter as Metric
from sqlalchemy.exc import SQLAlchemyError

from holdfast_servicekit.lasting import Lasting, Rests
from holdfast_status_api.webhooks.deliveries import Deliveries
from holdfast_status_api.webhooks.messages import Message
from holdfast_status_api.webhooks.sender import Sender

#: Events that became due are found within these times: while there are some, and while not.
POLL_SECONDS = 0.25
IDLE_POLL_SECONDS = 1.0
#: What one process has on the way: in all, and to one webhook.
_CONCURRENCY = 16
_OF_EACH = 4
#: A process that was frozen since it claimed must not send what another has taken over.
_TRUSTED_SECONDS = 5.0
#: What a lease has beyond the time of one attempt.
LEASE_MARGIN_SECONDS = 15.0
_AWAY_SECONDS = 1.0
_FORGET_SECONDS = 600.0

_DELIVERIES = Metric(
    "holdfast_webhook_deliveries_total",
    "Attempts to deliver a lifecycle event to a webhook.",
    ("outcome",),
)
_log = structlog.get_logger()


class Courier(Lasting):
    """Delivers lifecycle events. Make it and start it after the fork."""

    def __init__(self, deliveries: Deliveries, sender: Sender) -> None:
        super().__init__(
            "courier", "the courier of webhooks", stop_seconds=_AWAY_SECONDS + IDLE_POLL_SECONDS
        )
        self._deliveries = deliveries
        self._sender = sender
        self._pool = ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="webhook")
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._forgot_at = 0.0
        self._rests = Rests(POLL_SECONDS, IDLE_POLL_SECONDS)

    def stop(self) -> None:
        """Claim no more, let what is on its way arrive or time out, and give the rest back."""
        super().stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        try:
            self._deliveries.release()
        except SQLAlchemyError as error:
            _log.warning("claims of webhooks end with their lease", error=str(error))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = self._turn()
            except SQLAlchemyError as error:
                _log.warning("deliveries cannot be read", error=str(error))
                self._stop.wait(_AWAY_SECONDS)
                continue
            except Exception:  # noqa: BLE001 - logged with its trace
                _log.exception("the courier's turn failed in an unexpected way")
                self._stop.wait(_AWAY_SECONDS)
                continue
            seconds = self._rests.next(busy=found or self._is_busy())
            if not found:
                self._rest(seconds)

    def _is_busy(self) -> bool:
        with self._lock:
            return self._under_way.total() > 0

    def _turn(self) -> bool:
        now = time.monotonic()
        if now - self._forgot_at > _FORGET_SECONDS:
            self._forgot_at = now
            self._deliveries.forget()
        with self._lock:
            free = _CONCURRENCY - self._under_way.total()
            busy = [webhook for webhook, held in self._under_way.items() if held]
        if not free:
            return False
        messages = self._deliveries.claim(free, _OF_EACH, busy)
        for message in messages:
            with self._lock:
                self._under_way[message.webhook_id] += 1
            self._pool.submit(self._deliver, message, now)
        return bool(messages)

    def _deliver(self, message: Message, claimed_at: float) -> None:
        try:
            if time.monotonic() - claimed_at > _TRUSTED_SECONDS:
                return  # the lease ends, and whoever claims next tries again
            self._note(message, self._sender.send(message))
        except SQLAlchemyError as error:
            _log.warning("a delivery is not on record", id=message.event_id, error=str(error))
        except Exception:  # noqa: BLE001 - logged with its trace
            _log.exception("a delivery failed in an unexpected way", id=message.event_id)
        finally:
            with self._lock:
                self._under_way[message.webhook_id] -= 1
                self._under_way += Counter()  # forgets those at zero
            self.wake()

    def _note(self, message: Message, problem: str | None) -> None:
        if problem is None:
            self._deliveries.arrived(message)
            _DELIVERIES.labels("delivered").inc()
            return
        dead = self._deliveries.failed(message, problem)
        _DELIVERIES.labels("dead" if dead else "failed").inc()
        _log.warning(
            "webhook not delivered",
            webhook=message.webhook_id,
            id=message.event_id,
            instance_id=message.instance_id,
            attempt=message.attempt,
            given_up=dead,
            error=problem,
        )
