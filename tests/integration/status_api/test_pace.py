"""``Retry-After``: as long as the run's next step usually takes, or until its next timer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text

from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.task_chain import TASK_CHAIN
from tests.integration.status_api.asking import put
from tests.integration.status_api.service import Service, running_service
from tests.integration.status_api.test_metrics import attempted
from tests.support.examples import TRIP
from tests.support.postgres import Database
from tests.support.runs import start

#: How long the attempts of a step took: usually a moment more than three seconds.
_COMMITTED_SECONDS = (3, 3, 3, 20)
_FAILED_SECONDS = (25, 25, 25, 25, 25)


@pytest.fixture(scope="module")
def experienced(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give an API whose ledger knows how long a step of the task chain takes."""
    owner = create_engine(database.url("postgres"))
    for number, seconds in enumerate(_COMMITTED_SECONDS):
        attempted(owner, f"done-{number}|0|step1|0", seconds, outcome="committed")
    for number, seconds in enumerate(_FAILED_SECONDS):
        attempted(owner, f"failed-{number}|0|step1|0", seconds, outcome="failed")
    owner.dispose()
    with running_service(database, tmp_path_factory.mktemp("experienced")) as service:
        yield service


@pytest.fixture
def experienced_api(experienced: Service) -> Iterator[httpx.Client]:
    with experienced.client() as client:
        yield client


def running(rows: Engine, wakes: str) -> str:
    """Return a run that is under way, and whose next timer is due that long from now."""
    run = f"run-{uuid.uuid4().hex}"
    put(rows, [(run, datetime.now(UTC))], state="RUNNING")
    with rows.begin() as connection:
        connection.execute(
            text(
                "UPDATE status.runs SET wakes_at = clock_timestamp() + CAST(:wakes AS interval)"
                " WHERE instance_id = :run"
            ),
            {"wakes": wakes, "run": run},
        )
    return run


def retry_after(api: httpx.Client, run: str) -> int:
    answer = api.get(f"/status/{run}")
    assert answer.status_code == 200, answer.text
    return int(answer.headers["Retry-After"])


def test_a_run_is_looked_at_again_when_its_slowest_step_is_usually_over(
    experienced_api: httpx.Client,
) -> None:
    accepted = experienced_api.post(f"/workflows/{TASK_CHAIN.name}", json=1)
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["Retry-After"] == "4"
    assert retry_after(experienced_api, accepted.json()["instance_id"]) == 4


def test_the_steps_of_one_workflow_say_nothing_of_another(experienced_api: httpx.Client) -> None:
    accepted = experienced_api.post(f"/workflows/{BOOK_TRIP.name}", json=TRIP)
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["Retry-After"] == "1"
    trip = start(experienced_api, BOOK_TRIP.name, TRIP)
    assert retry_after(experienced_api, trip) == 1


def test_a_run_that_waits_for_a_timer_is_looked_at_again_when_it_is_due(
    experienced_api: httpx.Client, rows: Engine
) -> None:
    assert 7 <= retry_after(experienced_api, running(rows, "10 s")) <= 10


def test_nobody_is_sent_away_for_longer_than_half_a_minute(
    experienced_api: httpx.Client, rows: Engine
) -> None:
    assert retry_after(experienced_api, running(rows, "1 h")) == 30


def test_after_its_timer_a_run_is_at_its_next_step(
    experienced_api: httpx.Client, rows: Engine
) -> None:
    assert retry_after(experienced_api, running(rows, "-1 s")) == 4
