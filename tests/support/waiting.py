"""Waits that are bounded and say what they waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from tenacity import RetryCallState, RetryError, Retrying, retry_if_result, stop_after_delay

T = TypeVar("T")
_SOONEST_SECONDS = 0.02
_LATEST_SECONDS = 0.25


def eventually(claim: str, look: Callable[[], T], *, seconds: float = 15.0) -> T:
    """Return the first thing seen that is true; fail with the claim and what was seen last.

    An ``AssertionError`` while looking means "not yet"; any other error ends the wait. Whoever has
    waited for long looks less often: what is looked at has other work to do.
    """
    seen: list[object] = []

    def once() -> T | None:
        try:
            result = look()
        except AssertionError as error:
            seen[:] = [error]
            return None
        seen[:] = [result]
        return result

    retrying = Retrying(
        retry=retry_if_result(lambda result: not result),
        wait=_pause,
        stop=stop_after_delay(seconds),
    )
    try:
        return cast("T", retrying(once))
    except RetryError:
        raise AssertionError(f"not within {seconds} s: {claim}; last seen: {seen[0]!r}") from None


def _pause(waiting: RetryCallState) -> float:
    waited = waiting.seconds_since_start or 0.0
    return min(max(_SOONEST_SECONDS, waited / 10), _LATEST_SECONDS)
