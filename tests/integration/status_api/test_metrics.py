"""Metrics that are counted in the database: the same whichever process is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, create_engine, text

from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.task_chain import STEP1, TASK_CHAIN
from holdfast_servicekit.sidecar import NO_TLS
from holdfast_status_api.survey import Survey
from tests.integration.status_api.service import running_service
from tests.support.examples import TRIP
from tests.support.postgres import Database
from tests.support.runs import start

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def emptied(quiet_database: Database) -> Iterator[Engine]:
    """Give a database in which nothing has happened, as its superuser sees it."""
    owner = create_engine(quiet_database.url("postgres"))
    with owner.begin() as connection:
        connection.execute(
            text(
                "TRUNCATE status.events, status.runs, status.requests, status.lifecycle,"
                " status.deliveries, status.commands, work.effects, work.attempts, work.outcomes"
            )
        )
    yield owner
    owner.dispose()


def scrape(page: str) -> Samples:
    """Return every sample; one that comes twice is a defect."""
    found: Samples = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def survey(database: Database) -> Samples:
    engine = create_engine(database.url("status"))
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in Survey(engine).collect()
        for sample in family.samples
    }
    engine.dispose()
    return found


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def attempted(
    owner: Engine, effect: str, ago: int, *, outcome: str | None, committed_ago: int | None = None
) -> None:
    """Let the ledger have an attempt; one that has committed has its effect, too."""
    values = {
        "key": effect,
        "run": effect.split("|", maxsplit=1)[0],
        "step": STEP1.name,
        "ago": ago,
    }
    with owner.begin() as connection:
        attempt = connection.scalar(
            text(
                "INSERT INTO work.attempts (key, instance, runner, step, pod, started_at)"
                " VALUES (:key, :run, :run, :step, 'pod', now() - make_interval(secs => :ago))"
                " RETURNING id"
            ),
            values,
        )
        if outcome is not None:
            connection.execute(
                text("INSERT INTO work.outcomes (attempt_id, outcome) VALUES (:id, :outcome)"),
                {"id": attempt, "outcome": outcome},
            )
        if committed_ago is not None:
            connection.execute(
                text(
                    "INSERT INTO work.effects (key, instance, runner, epoch, step, idx,"
                    " payload_hash, attempt_id, pod, committed_at) VALUES (:key, :run, :run, 0,"
                    " :step, 0, 'hash', :id, 'pod', now() - make_interval(secs => :committed_ago))"
                ),
                {**values, "id": attempt, "committed_ago": committed_ago},
            )


def test_every_process_of_a_service_exports_each_number_once(
    quiet_database: Database, emptied: Engine, tmp_path: Path
) -> None:
    three = {"HOLDFAST_WORKERS": "3"}
    with running_service(quiet_database, tmp_path, three) as several, several.client() as client:
        for _ in range(5):
            start(client, TASK_CHAIN.name, 1)
        start(client, BOOK_TRIP.name, TRIP)
        pages = [httpx.get(f"{several.url}/metrics", verify=NO_TLS).text for _ in range(8)]
    for page in pages:
        samples = scrape(page)
        assert samples[key("holdfast_runs", workflow="task_chain", state="PENDING")] == 5
        assert samples[key("holdfast_runs", workflow="book_trip", state="PENDING")] == 1
        assert samples[key("holdfast_outbox_depth", outbox="starts")] == 6
        started = key(
            "holdfast_api_requests_total", method="POST", route="/workflows/<name>", code="202"
        )
        assert samples[started] == 6


def test_the_oldest_waiting_run_is_told_by_what_it_waits_for(
    quiet_database: Database, emptied: Engine
) -> None:
    with emptied.begin() as connection:
        for name, state, status in (
            ("pending", "PENDING", None),
            ("asking", "RUNNING", '"waiting for human_approval"'),
            ("held", "SUSPENDED", '"suspended"'),
            ("over", "COMPLETED", None),
        ):
            connection.execute(
                text(
                    "INSERT INTO status.runs (instance_id, workflow, state, custom_status,"
                    " accepted_at, updated_at) VALUES (:name, 'some', :state,"
                    " CAST(:status AS json), now() - interval '100 s', now() - interval '50 s')"
                ),
                {"name": name, "state": state, "status": status},
            )
    found = survey(quiet_database)
    for waits_for in ("start", "event", "resume"):
        labels = {"workflow": "some", "waits_for": waits_for}
        assert 100 <= found[key("holdfast_oldest_waiting_run_seconds", **labels)] < 110
        assert 50 <= found[key("holdfast_quietest_run_seconds", **labels)] < 60
    assert (
        key("holdfast_oldest_waiting_run_seconds", workflow="some", waits_for="step") not in found
    )


def test_a_run_is_overdue_when_the_engine_was_asked_after_its_timer_and_it_had_not_moved(
    quiet_database: Database, emptied: Engine
) -> None:
    with emptied.begin() as connection:
        for workflow, state, wakes, observed in (
            ("lost", "RUNNING", "-300 s", "-10 s"),
            ("not asked since", "RUNNING", "-300 s", "-310 s"),
            ("held", "SUSPENDED", "-300 s", "-10 s"),
            ("in time", "RUNNING", "300 s", "-10 s"),
        ):
            connection.execute(
                text(
                    "INSERT INTO status.runs (instance_id, workflow, state, accepted_at,"
                    " updated_at, wakes_at, observed_at) VALUES (:workflow, :workflow, :state,"
                    " now() - interval '600 s', now() - interval '600 s',"
                    " now() + CAST(:wakes AS interval), now() + CAST(:observed AS interval))"
                ),
                {"workflow": workflow, "state": state, "wakes": wakes, "observed": observed},
            )
    found = survey(quiet_database)
    name = "holdfast_overdue_timer_seconds"
    assert 300 <= found[key(name, workflow="lost", waits_for="timer")] < 310
    assert found[key(name, workflow="not asked since", waits_for="timer")] == 0
    assert found[key(name, workflow="held", waits_for="resume")] == 0
    assert found[key(name, workflow="in time", waits_for="timer")] == 0


def test_recovery_is_the_time_from_the_last_interruption_to_the_commit(
    quiet_database: Database, emptied: Engine
) -> None:
    attempted(emptied, "calm|0|step1|0", 90, outcome="committed", committed_ago=89)
    attempted(emptied, "hit|0|step1|0", 80, outcome=None)
    attempted(emptied, "hit|0|step1|0", 70, outcome=None)
    attempted(emptied, "hit|0|step1|0", 66, outcome="committed", committed_ago=65)
    # Killed after its commit: the effect is there, nothing had to recover.
    attempted(emptied, "late|0|step1|0", 60, outcome=None, committed_ago=59)
    attempted(emptied, "late|0|step1|0", 50, outcome="repeated")
    found = survey(quiet_database)
    assert found[key("holdfast_recoveries")] == 1
    for quantile in ("0.5", "0.95", "1"):
        assert found[key("holdfast_recovery_seconds", quantile=quantile)] == pytest.approx(5, 0.01)
    assert found[key("holdfast_attempts_per_effect", step="step1")] == 2
    assert found[key("holdfast_oldest_open_attempt_seconds")] == 0


def test_an_attempt_that_nothing_made_good_is_seen(
    quiet_database: Database, emptied: Engine
) -> None:
    attempted(emptied, "lost|0|step1|0", 300, outcome=None)
    found = survey(quiet_database)
    assert found[key("holdfast_recoveries")] == 0
    assert 300 <= found[key("holdfast_oldest_open_attempt_seconds")] < 310


def test_without_the_database_the_survey_says_that_it_has_nothing() -> None:
    nobody = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    (only,) = Survey(nobody).collect()
    assert [(sample.name, sample.value) for sample in only.samples] == [("holdfast_survey_up", 0)]
