"""A real PostgreSQL, migrated by both services, and hands that drive activities through it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from secrets import token_hex

import psycopg
import pytest

from holdfast_activity_worker.migrate import migrate
from tests.integration.activity_worker.hands import Hands
from tests.support.http_server import Site, running_site
from tests.support.postgres import Database, running_database

Admin = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with running_database(tmp_path_factory.mktemp("worker-database")) as server:
        migrate(server.url("owner"))
        # As an operator would: the worker's code knows nothing of the status API's.
        subprocess.run(
            [sys.executable, "-m", "holdfast_status_api", "migrate"],
            env={**os.environ, "HOLDFAST_MIGRATION_DATABASE_URL": server.url("owner")},
            check=True,
        )
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
