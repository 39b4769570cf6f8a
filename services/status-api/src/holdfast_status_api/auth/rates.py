"""How often one subject may ask: reads and writes have budgets of their own."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from holdfast_servicekit.problems import Problem
from holdfast_status_api.settings import Settings

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Budget:
    """What is left of a budget, as headers tell it."""

    name: str
    quota: int
    window_seconds: int
    left: int
    seconds_to_more: int

    def headers(self) -> dict[str, str]:
        """Return the two fields of the IETF's draft on rate limits."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.quota};w={self.window_seconds}',
            "RateLimit": f'"{self.name}";r={self.left};t={self.seconds_to_more}',
        }


class Rates:
    """The budgets of all subjects, as one process counts them.

    Each process has its even share of the budget. The kernel spreads connections, not requests:
    a client with a single connection has the share of the process that it speaks with.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        # Two threads at once in the library's storage start one timer twice, which fails.
        self._lock = threading.Lock()
        self._items = {
            "reads": _share(settings.read_rate, settings.workers),
            "writes": _share(settings.write_rate, settings.workers),
        }

    def take(self, subject: str, method: str) -> Budget:
        """Take one request from the subject's budget and return the rest, or raise a 429."""
        name = "reads" if method in _READS else "writes"
        item = self._items[name]
        with self._lock:
            taken = self._limiter.hit(item, name, subject)
            stats = self._limiter.get_window_stats(item, name, subject)
        wait = min(item.get_expiry(), max(1, math.ceil(stats.reset_time - time.time())))
        budget = Budget(name, item.amount, item.get_expiry(), int(stats.remaining), wait)
        if not taken:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many requests",
                f"{item.amount} {name} in {item.get_expiry()} s are allowed here.",
                headers={"Retry-After": str(wait), **budget.headers()},
            )
        return budget


def _share(rate: str, workers: int) -> RateLimitItem:
    item = parse(rate)
    return type(item)(max(1, item.amount // workers), item.multiples, item.namespace)
