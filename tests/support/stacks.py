"""Real stacks for as long as a block lasts, and clients of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import Engine, create_engine

from holdfast_local.stack import Stack
from holdfast_servicekit.sidecar import NO_TLS


@contextmanager
def running_stack(
    name: str, *, keep: Callable[[], object] = lambda: False, **options: Any
) -> Iterator[Stack]:
    """Give a stack that is up, ready and empty, and delete it when the block ends.

    Its folder stays if it did not start, or if there is a reason to keep it.
    """
    stack = Stack(name, **options)
    stack.delete()
    stack.up()
    try:
        yield stack
    finally:
        if keep():
            stack.down()
        else:
            stack.delete()


def client_of(stack: Stack, seconds: float = 30) -> httpx.Client:
    """Return a client of its public API; the approver decides, the admin does all else."""
    return httpx.Client(
        base_url=stack.api_url,
        auth=stack.auth(),
        timeout=seconds,
        trust_env=False,
        verify=NO_TLS,
    )


@contextmanager
def database_of(stack: Stack) -> Iterator[Engine]:
    """Give its database, as superuser."""
    engine = create_engine(stack.database_url, pool_pre_ping=True)
    try:
        yield engine
    finally:
        engine.dispose()


def engine_client(stack: Stack) -> httpx.Client:
    """Return a client of its orchestrator, past the public API."""
    headers = {"dapr-api-token": stack.identity.secrets.app_token}
    return httpx.Client(
        base_url=stack.orchestrator_url,
        headers=headers,
        timeout=30,
        trust_env=False,
        verify=NO_TLS,
    )


@contextmanager
def without(stack: Stack, *names: str) -> Iterator[None]:
    """Keep processes of it down for the block, then bring it back to work."""
    for name in names:
        stack.stop(name)
    try:
        yield
    finally:
        for name in reversed(names):
            stack.start(name)
        stack.wait_until_ready()
