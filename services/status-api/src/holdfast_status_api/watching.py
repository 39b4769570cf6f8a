"""Hold a request until a run changes, for a few callers and at the price of one.

A held request takes a thread, so there is a bound to them; whoever comes too much is told so and
polls instead. All who watch one run share one look at it.

A look asks the engine, which reads the run's whole history. What most callers wait for is the end,
and the ledger knows of that first, of all watched runs in one statement: it is read often, and the
engine is asked at once when a run was closed there, else seldom.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import structlog
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from holdfast_servicekit.lasting import Lasting
from holdfast_servicekit.problems import Problem
from holdfast_status_api.index import RunIndex
from holdfast_status_api.looking import Looks, Seen

#: How often the ledger is read.
_TICK_SECONDS = 0.04
_SOONEST_SECONDS = 0.5
#: The engine ends a run a few turns after its last effect was committed.
_ENDING_SECONDS = 0.03
_SELDOM_SECONDS = 1.0
#: A run that did not change is looked at more and more seldom, by this factor.
_SLOWER = 1.3

_HELD = Gauge(
    "holdfast_api_held_requests",
    "Requests that wait for a run to change, streams included.",
    multiprocess_mode="livesum",
)
_log = structlog.get_logger()


class TooManyError(Exception):
    """As many requests are held as there may be."""


class Watch:
    """What is known of one run, for all who wait for it."""

    def __init__(self, seen: Seen) -> None:
        self._changed = threading.Condition()
        self._seen = seen
        self._gone: Problem | None = None
        self._closed = False
        self.watchers = 0
        self.pause_seconds = _SOONEST_SECONDS
        #: The first caller has just looked.
        self.next_look = time.monotonic() + _SOONEST_SECONDS
        self._ending = False

    def next(self, after: Seen, seconds: float) -> Seen | None:
        """Return what is known once it differs from ``after``, or ``None`` if that takes longer.

        Raises the `Problem` with the run once there is one: it was purged.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over() or self._seen != after, timeout=seconds)
            if self._gone is not None:
                raise self._gone
            return self._seen if self._seen != after else None

    def hasten(self) -> None:
        """Look again soon, and often at first: the ledger says that the run ends."""
        if not self._ending:
            self._ending = True
            self.pause_seconds, self.next_look = _ENDING_SECONDS, 0.0

    @property
    def closed(self) -> bool:
        """Tell whether the process stops, so that nobody looks any more."""
        return self._closed

    def tell(self, seen: Seen) -> None:
        """Take in what was seen, and wake those who wait if it is new."""
        with self._changed:
            if seen == self._seen:
                self.pause_seconds = min(self.pause_seconds * _SLOWER, _SELDOM_SECONDS)
                return
            self.pause_seconds = _ENDING_SECONDS if self._ending else _SOONEST_SECONDS
            self._seen = seen
            self._changed.notify_all()

    def end(self, gone: Problem | None = None) -> None:
        """Wake those who wait: there will be nothing more to see."""
        with self._changed:
            self._gone = gone
            self._closed = True
            self._changed.notify_all()

    def _over(self) -> bool:
        return self._closed or self._gone is not None


class Watches(Lasting):
    """A thread that looks at the runs that somebody waits for, each once for all of them."""

    def __init__(self, index: RunIndex, looks: Looks, most: int) -> None:
        super().__init__("watch-runs", "the watch over runs")
        self._index = index
        self._looks = looks
        self._most = most
        self._lock = threading.Lock()
        self._held = 0
        self._watches: dict[str, Watch] = {}

    @contextmanager
    def watch(self, instance_id: str, seen: Seen) -> Iterator[Watch]:
        """Watch a run for one caller; raises `TooManyError` if there are too many."""
        with self._lock:
            if self._held >= self._most or self._stop.is_set():
                raise TooManyError
            self._held += 1
            watch = self._watches.get(instance_id)
            if watch is None:
                watch = self._watches[instance_id] = Watch(comparable(seen))
            watch.watchers += 1
        _HELD.inc()
        self.wake()
        try:
            yield watch
        finally:
            _HELD.dec()
            with self._lock:
                self._held -= 1
                watch.watchers -= 1
                if not watch.watchers:
                    self._watches.pop(instance_id, None)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                watches = list(self._watches.items())
            if not watches:
                self._rest()
                continue
            self._hasten(dict(watches))
            now = time.monotonic()
            for instance_id, watch in watches:
                if watch.next_look <= now:
                    self._look(instance_id, watch)
                    watch.next_look = time.monotonic() + watch.pause_seconds
            self._stop.wait(_TICK_SECONDS)
        with self._lock:
            left = list(self._watches.values())
        for watch in left:
            watch.end()

    def _hasten(self, watches: Mapping[str, Watch]) -> None:
        try:
            for instance_id in self._index.closed(watches):
                watches[instance_id].hasten()
        except SQLAlchemyError as error:
            _log.warning("the ledger cannot be read", error=str(error))

    def _look(self, instance_id: str, watch: Watch) -> None:
        try:
            watch.tell(comparable(self._looks.look(instance_id)))
        except Problem as gone:
            watch.end(gone)
        except SQLAlchemyError as error:
            _log.warning("a watched run cannot be read", instance_id=instance_id, error=str(error))
        except Exception:  # noqa: BLE001 - logged with its trace
            # One run that cannot be read must not stop the look at all others.
            _log.exception("a watched run was not read", instance_id=instance_id)


def comparable(seen: Seen) -> Seen:
    """Return it without what no client sees: when it was looked at is no change of the run."""
    return replace(seen, run=replace(seen.run, fresh=False, dispatched=True))
