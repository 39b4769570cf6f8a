"""PostgreSQL dies and comes back; processes of the API die and come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.status_api.asking import problem
from tests.integration.status_api.service import Service, crash, migrate, running_service
from tests.support.examples import APPROVAL, ORDER
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
    lines = own_api.get("/metrics").text.splitlines()
    counted = [
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("holdfast_api_requests_total{")
        and 'route="/workflows/<name>"' in line
        and 'code="202"' in line
    ]
    assert sum(counted) == 30
    assert any(line.startswith('holdfast_outbox_depth{outbox="starts"}') for line in lines)


def _accepted(api: httpx.Client, header: dict[str, str]) -> httpx.Response | None:
    answer = api.post("/workflows/task_chain", json=1, headers=header)
    assert answer.status_code in {202, 503}
    return answer if answer.status_code == 202 else None
