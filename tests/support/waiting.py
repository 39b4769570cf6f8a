"""Waits that are bounded and say what they waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

T = TypeVar("T")


def eventually(claim: str, look: Callable[[], T], *, seconds: float = 15.0) -> T:
    """Return the first thing seen that is true; fail with the claim and what was seen last.

    An ``AssertionError`` while looking means "not yet"; any other error ends the wait.
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
        wait=wait_fixed(0.02),
        stop=stop_after_delay(seconds),
    )
    try:
        return cast("T", retrying(once))
    except RetryError:
        raise AssertionError(f"not within {seconds} s: {claim}; last seen: {seen[0]!r}") from None
