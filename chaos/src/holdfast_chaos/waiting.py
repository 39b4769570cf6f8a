"""Wait for a condition, with a bound: the harness's own clockwork."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

T = TypeVar("T")


def eventually(produce: Callable[[], T], seconds: float, *, every: float = 0.05) -> T | None:
    """Return the first result that is true, or none if there is none in time."""
    waiting = Retrying(
        retry=retry_if_not_result(bool), stop=stop_after_delay(seconds), wait=wait_fixed(every)
    )
    try:
        return waiting(produce)
    except RetryError:
        return None


def last_problem(problem: Callable[[], str | None], seconds: float) -> str | None:
    """Wait until nothing is wrong any more; return the last thing that was, or none."""
    waiting = Retrying(
        retry=retry_if_not_result(lambda found: found is None),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.05),
    )
    try:
        waiting(problem)
    except RetryError as error:
        return str(error.last_attempt.result())
    return None


def pause(seconds: float) -> None:
    """Let time pass: the seed says how much, or a timer's due time does."""
    threading.Event().wait(max(0.0, seconds))


def pause_until(moment: datetime) -> None:
    """Return at a moment of the clock: how long a freeze lasts is what it is about."""
    pause((moment - datetime.now(UTC)).total_seconds())
