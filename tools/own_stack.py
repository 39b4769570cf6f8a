"""A local stack that a script has for itself: it begins with nothing and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from holdfast_local.stack import Stack


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
