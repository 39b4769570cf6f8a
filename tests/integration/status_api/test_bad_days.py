"""PostgreSQL dies and comes back; processes of the API die and come back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text

from tests.integration.status_api.asking import problem, put
from tests.integration.status_api.service import Service, crash, migrate, running_service
from tests.support.examples import APPROVAL, ORDER
from tests.support.metrics import total
from tests.support.postgres import Database
from tests.support.runs import start
from tests.support.waiting import eventually


@pytest.fixture
def own_service(quiet_database: Database, tmp_path: Path) -> Iterator[Service]:
    with running_service(quiet_database, tmp_path) as service:
        yield service


@pytest.fixture
def own_api(own_service: Service) -> Iterator[httpx.Client]:
    with own_service.client() as client:
        yield client


def test_nothing_is_accepted_while_postgresql_is_down_and_all_goes_on_when_it_is_back(
    own_api: httpx.Client, quiet_database: Database
) -> None:
    before = start(own_api, "request_escalation", ORDER)
    header = {"Idempotency-Key": "tried-on-a-bad-day"}
    crash(quiet_database)
    try:
        for refused in (
            own_api.post("/workflows/task_chain", json=1, headers=header),
            own_api.post(f"/runs/{before}/events/human_approval", json=APPROVAL),
            own_api.post(
                "/batches",
                content=b"origin,destination\nJFK,LHR\n",
                headers={"Content-Type": "text/csv"},
            ),
            own_api.get(f"/status/{before}"),
            own_api.get(f"/runs/{before}/events"),
        ):
            problem(refused, 503)
            assert int(refused.headers["Retry-After"]) >= 1
        assert own_api.get("/healthz").status_code == 200
        assert own_api.get("/workflows").status_code == 200
        unready = own_api.get("/readyz")
        assert unready.status_code == 503
        assert "database" in unready.json()["missing"]
    finally:
        quiet_database.start()
    answer = eventually("a run is accepted again", lambda: _accepted(own_api, header))
    assert answer is not None
    assert own_api.get(answer.headers["Location"]).json()["state"] == "PENDING"
    assert own_api.get(f"/status/{before}").status_code == 200
    approval = own_api.post(f"/runs/{before}/events/human_approval", json=APPROVAL)
    assert approval.status_code == 202
    assert own_api.get("/healthz").status_code == 200
    assert "database" not in own_api.get("/readyz").json()["missing"]


def test_readiness_names_the_sidecar_that_is_missing(own_api: httpx.Client) -> None:
    answer = own_api.get("/readyz")
    assert answer.status_code == 503
    assert list(answer.json()["missing"]) == ["sidecar"]
    assert own_api.get("/healthz").status_code == 200


def test_what_was_accepted_outlives_a_sigkill_of_the_api(
    own_service: Service, own_api: httpx.Client
) -> None:
    runs = [start(own_api, "task_chain", number) for number in range(20)]
    own_service.kill()
    own_service.start()
    for number, run in enumerate(runs):
        seen = own_api.get(f"/status/{run}").json()
        assert (seen["state"], seen["input"]) == ("PENDING", number)


#: Holds the third start of a bulk rerun in its transaction, as long as a test holds the lock.
_HOLD = (
    """
    CREATE FUNCTION status.hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(4242);
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER hold BEFORE INSERT ON status.requests FOR EACH ROW
    WHEN (NEW.rerun_of = 'died-2') EXECUTE FUNCTION status.hold()
    """,
)


@pytest.fixture
def holding(quiet_database: Database) -> Iterator[Engine]:
    """Give the database as its superuser sees it, with what holds a start."""
    engine = create_engine(quiet_database.url("postgres"))
    with engine.begin() as connection:
        for statement in _HOLD:
            connection.execute(text(statement))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP FUNCTION status.hold() CASCADE"))
    engine.dispose()


def test_a_bulk_rerun_whose_process_dies_in_the_middle_goes_on_and_starts_nothing_twice(
    own_service: Service, own_api: httpx.Client, holding: Engine
) -> None:
    now = datetime.now(UTC)
    put(holding, [(f"died-{number}", now - timedelta(hours=5 - number)) for number in range(5)])
    query = {"q": "died-"}
    token = {"token": own_api.post("/bulk/rerun", params=query).json()["token"]}

    def started() -> list[tuple[str, int]]:
        counted = text(
            "SELECT rerun_of, count(*) FROM status.requests WHERE rerun_of IS NOT NULL"
            " GROUP BY rerun_of ORDER BY rerun_of"
        )
        with holding.connect() as connection:
            return [tuple(row) for row in connection.execute(counted)]

    with holding.connect() as lock, ThreadPoolExecutor(1) as pool:
        lock.execute(text("SELECT pg_advisory_lock(4242)"))
        cut_off = pool.submit(own_api.post, "/bulk/rerun", params=query, json=token)
        eventually("two of them are started", lambda: len(started()) == 2)
        own_service.kill()
        assert isinstance(cut_off.exception(), httpx.HTTPError)
        lock.execute(text("SELECT pg_advisory_unlock(4242)"))
    # The database had the third already, and nobody is there any more to hear of it.
    landed = [("died-0", 1), ("died-1", 1), ("died-2", 1)]
    eventually("it is started all the same", lambda: started() == landed)
    own_service.start()
    again = own_api.post("/bulk/rerun", params=query, json=token)
    assert (again.status_code, again.json()["accepted"]) == (202, 5)
    assert started() == [(f"died-{number}", 1) for number in range(5)]


def test_the_api_ends_in_order_when_it_is_asked_to(own_service: Service) -> None:
    assert own_service.stop() == 0


def test_migrations_run_twice_change_nothing(quiet_database: Database) -> None:
    migrate(quiet_database, "holdfast_status_api")


def test_metrics_count_requests_by_route_for_all_processes_together(
    own_api: httpx.Client,
) -> None:
    for number in range(30):
        start(own_api, "task_chain", number)
        # A connection of its own may reach the other process.
        own_api.get("/workflows", headers={"Connection": "close"})
    page = own_api.get("/metrics").text
    accepted = {"route": "/workflows/<name>", "code": "202"}
    assert total(page, "holdfast_api_requests_total", **accepted) == 30
    assert any(
        line.startswith('holdfast_outbox_depth{outbox="starts"}') for line in page.splitlines()
    )


def _accepted(api: httpx.Client, header: dict[str, str]) -> httpx.Response | None:
    answer = api.post("/workflows/task_chain", json=1, headers=header)
    assert answer.status_code in {202, 503}
    return answer if answer.status_code == 202 else None
