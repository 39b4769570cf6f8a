"""A real stack for the tests that need one: one per pytest process, taken down at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from filelock import FileLock, Timeout
from sqlalchemy import Engine

from holdfast_local.folders import repository
from holdfast_local.stack import Stack
from tests.support.stacks import client_of, database_of, running_stack

#: More pytest processes than this do not run beside each other in one clone.
MOST_PROCESSES = 32


#: The files that take longest, the longest first. They begin first: begun last, one of them would
#: be waited for alone.
LONGEST = (
    "integration/test_local_stack.py",
    "integration/test_patterns.py",
    "integration/test_disasters.py",
    "chaos/test_schedules.py",
    "integration/test_versioning.py",
    "chaos/test_controls.py",
    "integration/test_hazards.py",
    "integration/status_api/test_webhooks.py",
    "chaos/test_toolkit.py",
    "integration/status_api/test_schema.py",
    "integration/test_replay.py",
    "integration/status_api/test_operating.py",
    "browser/test_console.py",
    "integration/status_api/test_on_a_stack.py",
    "integration/test_control_plane.py",
    "integration/test_new_workflow.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first where several processes share the tests; else leave the order."""
    if not hasattr(config, "workerinput"):
        return
    tests = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        file = item.path.relative_to(tests).as_posix()
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def stack_name() -> Iterator[str]:
    """A name that no other pytest process in this clone uses now, for this one's stacks.

    The lock goes with the process, so what a killed pytest left has a name that is used again,
    and is ended by whoever gets it.
    """
    folder = repository() / ".run"
    folder.mkdir(exist_ok=True)
    for number in range(MOST_PROCESSES):
        name = f"test-{number}"
        lock = FileLock(folder / f"{name}.lock")
        with suppress(Timeout), lock.acquire(timeout=0):
            yield name
            return
    pytest.fail(f"{MOST_PROCESSES} pytest processes use this clone already", pytrace=False)


@pytest.fixture(scope="session")
def stack(stack_name: str, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that is up, ready and empty at first; its folder stays if a test failed."""
    with running_stack(stack_name, keep=lambda: request.session.testsfailed) as stack:
        yield stack


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the stack's public API, with every role."""
    with client_of(stack) as client:
        yield client


@pytest.fixture(scope="session")
def db(stack: Stack) -> Iterator[Engine]:
    """The stack's database, as superuser."""
    with database_of(stack) as engine:
        yield engine


@pytest.fixture
def hook(api: httpx.Client) -> Iterator[str]:
    """A webhook that is to be told of failures, and whose receiver is away."""
    asked = {"url": "http://127.0.0.1:9/hook", "types": ["dev.holdfast.run.failed"]}
    webhook = str(api.post("/webhooks", json=asked).json()["webhook_id"])
    yield webhook
    api.delete(f"/webhooks/{webhook}")
