from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine, create_engine

from tests.integration.status_api.service import Service, migrated_database, running_service
from tests.support.postgres import Database


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give a database with all tables and no rows, to be copied."""
    with migrated_database(tmp_path_factory.mktemp("status-api-database")) as server:
        yield server


@pytest.fixture(scope="module")
def database(schemas: Database) -> Iterator[Database]:
    """Give a database of the module's own, on a server that the modules share."""
    with schemas.copied() as own:
        yield own


@pytest.fixture(scope="module")
def quiet_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give a database that only the test at hand uses, and may crash."""
    with migrated_database(tmp_path_factory.mktemp("quiet-database")) as server:
        yield server


@pytest.fixture(scope="module")
def service(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give a status API whose sidecar is away for good."""
    with running_service(database, tmp_path_factory.mktemp("status-api")) as service:
        yield service


@pytest.fixture
def lone_api(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture
def rows(database: Database) -> Iterator[Engine]:
    """Give the database as its superuser sees it."""
    engine = create_engine(database.url("postgres"))
    yield engine
    engine.dispose()
