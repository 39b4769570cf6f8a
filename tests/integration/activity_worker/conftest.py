"""A real PostgreSQL, migrated by both services, and hands that drive activities through it."""

from __future__ import annotations

from collections.abc import Iterator
from secrets import token_hex

import psycopg
import pytest

from tests.integration.activity_worker.hands import Hands
from tests.integration.status_api.service import migrated_database
from tests.support.http_server import Site, running_site
from tests.support.postgres import Database

Admin = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with migrated_database(tmp_path_factory.mktemp("worker-database")) as server:
        yield server


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with database.connect() as connection:
        yield connection


@pytest.fixture
def hands(database: Database) -> Iterator[Hands]:
    with Hands(database.url("worker")) as both:
        yield both


@pytest.fixture
def run() -> str:
    """Name a run that no other test has."""
    return f"run-{token_hex(6)}"


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as server:
        yield server
