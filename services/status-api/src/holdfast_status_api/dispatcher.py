"""Bring what is in an outbox to the orchestrator, as soon as it can take it.

Every serving process has a dispatcher for each outbox. They share the rows through the database,
so any of them may die at any moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from holdfast_servicekit import tracing
from holdfast_servicekit.lasting import Lasting, Rests
from holdfast_status_api.orchestrator import (
    FinishedError,
    ImpossibleError,
    Orchestrator,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from holdfast_status_api.outbox import LEASE_SECONDS, Claim, Events, LeaseLostError, Outbox, Starts

#: Rows that another process accepted, or that are due again, are found within these times: while
#: there is work, and while there has been none. Who accepts a row wakes its own dispatcher.
POLL_SECONDS = 0.2
IDLE_POLL_SECONDS = 1.0
_RENEW_SECONDS = LEASE_SECONDS / 4
#: A frozen process stops to trust its lease a little before others stop to respect it.
_TRUSTED_SECONDS = LEASE_SECONDS * 0.8
#: While the orchestrator is away it is asked this often, by how ever many rows wait.
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0

_ATTEMPTS = Counter(
    "holdfast_dispatch_attempts_total",
    "Attempts to bring a start or an event to the orchestrator.",
    ("outbox", "outcome"),
)
_log = structlog.get_logger()


class Dispatcher(Lasting):
    """A thread that claims rows of one outbox and a few that send them."""

    def __init__(
        self,
        outbox: Outbox,
        orchestrator: Orchestrator,
        concurrency: int,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            f"dispatch-{outbox.name}",
            f"the dispatcher of {outbox.name}",
            stop_seconds=LEASE_SECONDS,
        )
        self._outbox = outbox
        self._arrived = arrived
        self._orchestrator = orchestrator
        self._concurrency = concurrency
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix=f"send-{outbox.name}")
        self._lock = threading.Lock()
        #: Each row that is on its way, and when we last knew that it was ours.
        self._in_flight: dict[str, float] = {}
        self._renewed_at = 0.0
        self._pause_seconds = 0.0
        self._paused_until = 0.0
        self._rests = Rests(POLL_SECONDS, IDLE_POLL_SECONDS)
        #: The last look left rows behind, or may have.
        self._more = False

    def stop(self) -> None:
        """Let what is on its way arrive, give the rest back, and return within a bound."""
        super().stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        try:
            self._outbox.release()
        except SQLAlchemyError as error:
            _log.warning("claims end with their lease", outbox=self._outbox.name, error=str(error))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = self._turn()
            except SQLAlchemyError as error:
                # The rows are safe where they are; the claims end with their lease.
                _log.warning(
                    "the outbox cannot be read", outbox=self._outbox.name, error=str(error)
                )
                self._stop.wait(_LONGEST_PAUSE_SECONDS)
                continue
            seconds = self._rests.next(busy=found or self._is_busy())
            if not found:
                self._rest(seconds)

    def _is_busy(self) -> bool:
        with self._lock:
            return bool(self._in_flight or self._pause_seconds)

    def _turn(self) -> bool:
        """Claim what there is room for; tell whether there may be more that there is room for."""
        now = time.monotonic()
        with self._lock:
            in_flight = sorted(self._in_flight)
            free = self._concurrency - len(in_flight)
            paused = now < self._paused_until
            # One row finds out whether the orchestrator is back.
            wanted = min(free, 1) if self._pause_seconds else free
        if in_flight and now - self._renewed_at > _RENEW_SECONDS:
            kept = self._outbox.renew(in_flight)
            self._renewed_at = now
            with self._lock:
                self._in_flight.update({row: now for row in kept if row in self._in_flight})
        if paused or not wanted:
            self._more = True
            return False
        claims = self._outbox.claim(wanted)
        # Whoever accepts a row wakes us: to look again when nothing was left costs as much as it.
        self._more = len(claims) == wanted
        for claim in claims:
            with self._lock:
                self._in_flight[claim.id] = now
            self._pool.submit(self._send, claim)
        return self._more

    def _send(self, claim: Claim) -> None:
        row = claim.row._mapping  # noqa: SLF001 - the row's public name for it
        instance_id = row["instance_id"]
        try:
            with (
                structlog.contextvars.bound_contextvars(instance_id=instance_id),
                tracing.continued(
                    row.get("traceparent"),
                    f"dispatch {self._outbox.name}",
                    **{"holdfast.instance_id": instance_id},
                ),
            ):
                outcome = self._attempt(claim)
            _ATTEMPTS.labels(self._outbox.name, outcome).inc()
        except SQLAlchemyError as error:
            _log.warning("an attempt is not on record", id=claim.id, error=str(error))
        except Exception:  # noqa: BLE001 - logged with its trace
            # The row is tried again when its lease ends; the thread must live on.
            _log.exception("an attempt failed in an unexpected way", id=claim.id)
        finally:
            with self._lock:
                self._in_flight.pop(claim.id, None)
            if self._more:
                self.wake()

    def _check_lease(self, claim: Claim) -> None:
        with self._lock:
            ours_at = self._in_flight[claim.id]
        if time.monotonic() - ours_at > _TRUSTED_SECONDS:
            raise LeaseLostError

    def _attempt(self, claim: Claim) -> str:
        try:
            self._outbox.send(self._orchestrator, claim, lambda: self._check_lease(claim))
        except (RefusedError, UnreadableError) as error:
            # Of this run alone: the others go on.
            _log.warning("the orchestrator refused", id=claim.id, error=str(error))
            self._outbox.put_off(claim, str(error))
            return "refused"
        except UnavailableError as error:
            self._pause()
            self._outbox.put_off(claim, str(error))
            return "unavailable"
        except ImpossibleError as error:
            if isinstance(self._outbox, Starts):
                self._outbox.fail(claim, str(error))
            _log.warning("a run cannot be started", id=claim.id, error=str(error))
            return "impossible"
        except FinishedError:
            if isinstance(self._outbox, Events):
                self._outbox.expire(claim)
            return "expired"
        except LeaseLostError:
            return "lease lost"
        self._go_on()
        self._outbox.done(claim)
        self._arrived()
        return "done"

    def _pause(self) -> None:
        with self._lock:
            grown = max(2 * self._pause_seconds, _FIRST_PAUSE_SECONDS)
            if time.monotonic() >= self._paused_until:
                self._pause_seconds = min(grown, _LONGEST_PAUSE_SECONDS)
                self._paused_until = time.monotonic() + self._pause_seconds

    def _go_on(self) -> None:
        with self._lock:
            self._pause_seconds = 0.0
            self._paused_until = 0.0
