from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from holdfast_activity_worker.migrate import migrate
from holdfast_activity_worker.readiness import database_problem, events_problem
from holdfast_contracts.batch_processing import SAMPLE_LEGS
from holdfast_servicekit.db import make_engine
from tests.integration.activity_worker.hands import Admin, rows
from tests.support.postgres import Database


def test_migrating_again_changes_nothing_that_is_there(database: Database, admin: Admin) -> None:
    admin.execute("UPDATE work.inventory SET capacity = 300 WHERE item = 'HEL-NRT'")
    migrate(database.url("owner"))
    query = "SELECT capacity FROM work.inventory WHERE item = 'HEL-NRT'"
    assert rows(admin, query) == [(300,)]
    assert rows(admin, "SELECT count(*) FROM work.sample_legs") == [(SAMPLE_LEGS,)]
    admin.execute("UPDATE work.inventory SET capacity = 200 WHERE item = 'HEL-NRT'")


def test_an_empty_database_is_migrated_by_four_at_once_and_readiness_says_what_is_missing(
    database: Database,
) -> None:
    database.create("empty")
    engine = make_engine(database.url("worker", "empty"), "readiness")
    assert database_problem(engine) == "schema work has not been migrated"
    with ThreadPoolExecutor(4) as replicas:
        list(replicas.map(migrate, 4 * [database.url("owner", "empty")]))
    assert database_problem(engine) is None
    missing = events_problem(engine)
    assert missing is not None
    assert missing.startswith("status.events cannot be read, run the status API's migrations")
    engine.dispose()


def test_readiness_is_whole_when_both_services_are_migrated(database: Database) -> None:
    engine = make_engine(database.url("worker"), "readiness")
    assert database_problem(engine) is None
    assert events_problem(engine) is None
    engine.dispose()


def test_readiness_names_a_database_that_is_away() -> None:
    engine = make_engine("postgresql+psycopg://u:p@127.0.0.1:1/holdfast", "readiness")
    problem = database_problem(engine)
    assert problem is not None
    assert problem.startswith("the database cannot be used: ")
    engine.dispose()
