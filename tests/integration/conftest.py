"""A real stack for the integration tests: one per pytest process, taken down at its end."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine, create_engine

from holdfast_local.errors import StackError
from holdfast_local.stack import Stack

#: Every name begins so: `python -m holdfast_local down --all` ends what a killed pytest left.
PREFIX = "test"


@pytest.fixture(scope="session")
def stack_name(worker_id: str) -> str:
    """The name of this pytest process' stack: processes that run beside it have others."""
    return f"{PREFIX}-{worker_id}"


@pytest.fixture(scope="session")
def stack(stack_name: str, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that is up, ready and empty at first; its folder stays if a test failed."""
    stack = Stack(stack_name)
    stack.delete()
    try:
        stack.up()
    except StackError as error:
        pytest.fail(f"the stack did not start: {error}", pytrace=False)
    try:
        yield stack
    finally:
        if request.session.testsfailed:
            stack.down()
        else:
            stack.delete()


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the stack's public API."""
    with httpx.Client(base_url=stack.api_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def db(stack: Stack) -> Iterator[Engine]:
    """The stack's database, as superuser."""
    engine = create_engine(stack.database_url, pool_pre_ping=True)
    yield engine
    engine.dispose()
