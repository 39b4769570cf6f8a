"""What scripts that show a local stack share: one for themselves, a trip to book, and to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_local.stack import Stack

TRIP = {
    "traveller": "a traveller",
    "flight": "AMS-JFK",
    "hotel": "Harbour Hotel",
    "car": "compact",
}
_LOOK_EVERY_SECONDS = 0.01
_LONGEST_SECONDS = 60


@contextmanager
def own_stack(
    name: str, service_env: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[Stack]:
    """Give a stack that is up and empty; it is deleted at the end, whatever happens."""
    stack = Stack(name, service_env=service_env)
    stack.delete()
    try:
        stack.up()
        yield stack
    finally:
        stack.delete()


def until(condition: Callable[[], object]) -> None:
    """Wait until it is met, for a minute at most; then raise tenacity's ``RetryError``."""
    Retrying(
        retry=retry_if_result(lambda met: not met),
        wait=wait_fixed(_LOOK_EVERY_SECONDS),
        stop=stop_after_delay(_LONGEST_SECONDS),
    )(condition)
