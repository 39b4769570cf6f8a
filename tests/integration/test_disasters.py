"""Disasters made for real: each is found by `holdfast doctor`, and put right by its repair.

docs/disasters.md tells what they are.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, text

from holdfast_chaos.scheduler import scheduler_jobs
from holdfast_contracts.agreements import effect_lock
from holdfast_local.identity import SERVICES
from holdfast_local.programs import SIDECARS
from holdfast_local.stack import Stack
from tests.support import hazard_1
from tests.support.backups import back_up, restore
from tests.support.clone import ROOT
from tests.support.command import holdfast
from tests.support.examples import APPROVAL, ORDER, TRIP
from tests.support.http_server import Answer, Site, running_site
from tests.support.ledger import steps
from tests.support.runs import start, state_of, wait_for_end, wait_for_state
from tests.support.stacks import client_of, database_of, engine_client, running_stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

#: What is late by two seconds is frozen, and the scheduler is asked for its word every second.
HASTY = {"HOLDFAST_FROZEN_GRACE_SECONDS": "2", "HOLDFAST_RECONCILE_SECONDS": "1"}
LEGS = 70
WINDOW_SECONDS = 12


@pytest.fixture(scope="module")
def hasty(stack_name: str) -> Iterator[Stack]:
    with running_stack(f"{stack_name}-disasters", service_env={"status-api": HASTY}) as stack:
        yield stack


@pytest.fixture
def api(hasty: Stack) -> Iterator[httpx.Client]:
    with client_of(hasty) as client:
        yield client


@pytest.fixture
def db(hasty: Stack) -> Iterator[Engine]:
    with database_of(hasty) as engine:
        yield engine


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        running.answers = [Answer(body=b'{"status": "running"}')]
        yield running


@dataclass(frozen=True)
class InFlight:
    """A run of every pattern, each in the middle."""

    chain: str
    batch: str
    trip: str
    order: str
    monitor: str
    #: Waits for a person, for days.
    parked: str

    @property
    def all(self) -> set[str]:
        return set(vars(self).values())


def held_keys(tag: str) -> list[str]:
    """The steps that runs are held in."""
    legs = [f"{tag}-batch|0|process_work_item|{leg}" for leg in (5, 66)]
    return [f"{tag}-chain|0|step2|0", f"{tag}-trip|0|book_hotel|0", *legs]


def set_off(api: httpx.Client, db: Engine, site: Site, tag: str) -> InFlight:
    """Start a run of every pattern, and return when each is where its step is held, or waits."""
    job = {"job_id": f"{site.url}/job", "poll_interval_seconds": 2}
    chain = start(api, "task_chain", 1, instance_id=f"{tag}-chain")
    batch = start(api, "batch_processing", LEGS, instance_id=f"{tag}-batch")
    trip = start(api, "book_trip", TRIP, instance_id=f"{tag}-trip")
    monitor = start(api, "job_status_monitor", job, instance_id=f"{tag}-monitor")
    parked = start(api, "request_escalation", ORDER, instance_id=f"{tag}-parked")
    keys = held_keys(tag)
    eventually("the steps are under way", lambda: begun(db, keys) == len(keys), seconds=60)
    eventually("the rest is measured", lambda: legs(db, batch) == LEGS - 2, seconds=60)
    eventually("it was looked at", lambda: "check_job_status" in steps(db, monitor), seconds=60)
    # The last: its time runs.
    brief = {**ORDER, "approval_window_seconds": WINDOW_SECONDS}
    order = start(api, "request_escalation", brief, instance_id=f"{tag}-order")
    for waits in (order, parked):
        eventually("it waits", partial(waits_for_approval, api, waits), seconds=60)
    return InFlight(chain, batch, trip, order, monitor, parked)


def begun(db: Engine, keys: Sequence[str]) -> int:
    query = "SELECT count(DISTINCT key) FROM work.attempts WHERE key = ANY(:keys)"
    with db.connect() as connection:
        return int(connection.scalar(text(query), {"keys": list(keys)}) or 0)


def legs(db: Engine, run: str) -> int:
    return steps(db, run).count("process_work_item")


def waits_for_approval(api: httpx.Client, run: str) -> bool:
    return bool(state_of(api, run)["custom_status"] == "waiting for human_approval")


def hold(stack: Stack, keys: Sequence[str]) -> psycopg.Connection[Any]:
    """Keep effects from happening until the connection is closed, or its database is gone."""
    url = stack.database_url.replace("postgresql+psycopg", "postgresql")
    connection = psycopg.connect(url, autocommit=True)
    for key in keys:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [effect_lock(key)])
    return connection


def frozen(stack: Stack) -> dict[str, str]:
    """Ask the doctor: why each run is frozen."""
    asked = holdfast(stack, "doctor", "-o", "json")
    assert asked.code in {0, 9}, asked.err
    document = asked.document
    assert document["healthy"] is (asked.code == 0)
    return {one["instance_id"]: one["reason"] for one in document["frozen"]}


def find_all(stack: Stack, runs: InFlight) -> dict[str, str]:
    """Wait until each of the runs is known to be frozen; return why each is."""

    def look() -> dict[str, str]:
        found = frozen(stack)
        assert runs.all <= found.keys(), f"not found: {runs.all - found.keys()}"
        return found

    return eventually("all are found", look, seconds=60)


def repair_all(stack: Stack, expected: int) -> None:
    counted = holdfast(stack, "doctor", "--repair", "-o", "json")
    assert counted.code == 9, counted.err
    offer = counted.document["repair"]
    assert offer["count"] == expected
    done = holdfast(stack, "doctor", "--repair", "--yes", offer["token"], "-o", "json")
    assert (done.code, done.document["accepted"]) == (0, expected), done.err


def repair_in_the_console(stack: Stack, run: str) -> None:
    with httpx.Client(base_url=stack.api_url, timeout=30, trust_env=False) as browser:
        assert browser.post("/console/login", data={"token": stack.token("operator")}).is_success
        page = browser.get(f"/console/runs/{run}").text
        assert "It is frozen." in page
        assert 'id="do-repair"' in page
        csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        assert csrf is not None
        done = browser.post(f"/console/runs/{run}/repair", data={"csrf": csrf[1]})
        assert done.status_code == 303, done.text
        again = browser.get(done.headers["location"]).text
        assert "The repair is accepted" in again


def check_effects(db: Engine, runs: InFlight) -> None:
    """Every effect is there once, and the inventory says what the bookings say."""
    assert steps(db, runs.chain) == ["step1", "step2", "step3"]
    assert steps(db, runs.trip) == ["book_flight", "book_hotel", "book_car"]
    assert legs(db, runs.batch) == LEGS
    assert steps(db, runs.batch).count("process_results") == 1
    assert steps(db, runs.monitor).count("notify_complete") == 1
    polls = [step for step in steps(db, runs.monitor) if step == "check_job_status"]
    assert len(polls) >= 2
    for order in (runs.order, runs.parked):
        assert steps(db, order).count("record_decision") == 1
    unbalanced = """
        SELECT count(*) FROM work.inventory i
        WHERE capacity - available <> (SELECT count(*) FROM work.bookings b
            WHERE (b.kind, b.item) = (i.kind, i.item) AND b.state = 'booked')
    """
    with db.connect() as connection:
        assert connection.scalar(text(unbalanced)) == 0
        assert connection.scalar(text("SELECT count(*) FROM work.divergences")) == 0


def check_ends(api: httpx.Client, runs: InFlight, site: Site) -> None:
    """Every run ends as it would have."""
    site.answers = [Answer(body=b'{"status": "completed"}')]
    assert wait_for_end(api, runs.chain)["output"] == [2, 4, 16]
    assert wait_for_end(api, runs.batch)["output"]["count"] == LEGS
    assert wait_for_end(api, runs.trip)["output"]["outcome"] == "booked"
    assert wait_for_end(api, runs.order)["output"]["verdict"] == "timed_out"
    assert wait_for_end(api, runs.monitor)["output"]["status"] == "completed"


def timers(stack: Stack, run: str) -> list[str]:
    """Return the jobs that the scheduler has for the run's timers."""
    jobs = scheduler_jobs(f"http://127.0.0.1:{stack.ports['scheduler-etcd-client']}")
    return [job for job in jobs if f"||{run}||timer-" in job]


def test_runs_go_on_after_the_scheduler_has_lost_its_volumes(
    hasty: Stack, api: httpx.Client, db: Engine, site: Site
) -> None:
    with closing(hold(hasty, held_keys("lost"))):
        runs = set_off(api, db, site, "lost")
        hasty.stop("scheduler")
        # Who had the steps in hand dies, too, and with the scheduler the knowledge of them.
        assert hasty.kill("activity-worker-sidecar")
        assert hasty.kill("activity-worker")
        shutil.rmtree(hasty.folder.scheduler)
    hasty.start("scheduler")
    hasty.wait_until_ready()

    reasons = find_all(hasty, runs)
    assert reasons[runs.parked] == "forgotten"
    assert timers(hasty, runs.parked) == []
    why = api.get(f"/runs/{runs.chain}/why").json()
    assert why["commands"] == [f"holdfast wf repair {runs.chain}"]
    assert why["waits_for"][0]["kind"] == "frozen"

    repair_in_the_console(hasty, runs.parked)
    eventually("it is freed", lambda: runs.parked not in frozen(hasty), seconds=30)
    repair_all(hasty, len(runs.all) - 1)

    check_ends(api, runs, site)
    # Its time-out is where it was, although it is days away; and a decision ends it.
    assert timers(hasty, runs.parked)
    assert api.post(f"/runs/{runs.parked}/events/human_approval", json=APPROVAL).is_success
    assert wait_for_end(api, runs.parked)["output"]["verdict"] == "approved"
    check_effects(db, runs)
    eventually("nothing is frozen", lambda: not frozen(hasty), seconds=30)
    done = holdfast(hasty, "audit", "-o", "json", role="admin").document["entries"]
    told = {(entry["action"], entry["target"]) for entry in done}
    others = {("bulk", f"repair/{run}") for run in runs.all - {runs.parked}}
    assert told >= others | {("run.repair", runs.parked)}


def test_a_word_that_comes_late_does_not_hide_that_the_scheduler_forgot_all_else(
    hasty: Stack, db: Engine
) -> None:
    """A sidecar takes a job while its scheduler is away, and brings it to whatever comes back."""
    before = memory(hasty)["forgot_at"]
    hasty.stop("scheduler")
    with db.begin() as connection:
        word = connection.scalar(text(_NEXT_WORD))
    place = int(word.partition("-")[0]) % 2
    job = {"dueTime": "2999-01-01T00:00:00Z", "data": word, "overwrite": True}
    url = f"http://127.0.0.1:{hasty.ports['orchestrator-sidecar-http']}"
    path = f"{url}/v1.0/jobs/holdfast-memory-{place}"
    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(httpx.post, path, json=job, timeout=60)
        # It has not been refused, so it waits.
        with pytest.raises(TimeoutError):
            leaving.result(timeout=1)
        shutil.rmtree(hasty.folder.scheduler)
        hasty.start("scheduler")
        hasty.wait_until_ready()
        assert leaving.result(timeout=60).is_success

    def noticed() -> bool:
        seen = memory(hasty)
        return bool(seen["loss"] == "scheduler_lost" and seen["forgot_at"] != before)

    eventually("the loss is noticed", noticed, seconds=30)


#: What the status API writes down before it tells the scheduler.
_NEXT_WORD = """
    UPDATE status.scheduler_memory
    SET number = number + 1, word = (number + 1) || '-late', told_at = NULL,
        word_before = CASE WHEN told_at IS NULL THEN word_before ELSE word END
    RETURNING word
"""


def memory(stack: Stack) -> dict[str, Any]:
    """Ask the doctor what is known of the scheduler's memory."""
    document = holdfast(stack, "doctor", "-o", "json").document
    return dict(document["memory"])


def test_runs_go_on_after_the_database_was_put_back_from_a_backup(
    hasty: Stack, api: httpx.Client, db: Engine, site: Site, tmp_path: Path
) -> None:
    with closing(hold(hasty, held_keys("older"))):
        runs = set_off(api, db, site, "older")
        back_up(hasty, tmp_path / "backup")
    # What the backup has in flight goes on, and ends: the scheduler has nothing of it any more.
    check_ends(api, runs, site)
    assert api.post(f"/runs/{runs.parked}/events/human_approval", json=APPROVAL).is_success
    wait_for_end(api, runs.parked)
    site.answers = [Answer(body=b'{"status": "running"}')]
    with closing(hold(hasty, ["unknown|0|step2|0"])):
        # And this one is begun, and still at it when the database is put back.
        unknown = start(api, "task_chain", 1, instance_id="unknown")
        eventually("it is at it", lambda: begun(db, ["unknown|0|step2|0"]), seconds=60)
        hasty.stop("activity-worker-sidecar")
        assert hasty.kill("activity-worker")
        for name in (*SERVICES, *SIDECARS):
            hasty.stop(name)
        db.dispose()
        restore(hasty, tmp_path / "backup")
    hasty.up()

    find_all(hasty, runs)
    document = holdfast(hasty, "doctor", "-o", "json").document
    assert document["memory"]["loss"] == "database_older"
    # The scheduler had a step of it, which was done; nobody knows of the run.
    assert api.get(f"/status/{unknown}").status_code == 404
    eventually("the step is told of", lambda: unknown in strangers(hasty), seconds=30)

    repair_all(hasty, len(runs.all))

    check_ends(api, runs, site)
    assert api.post(f"/runs/{runs.parked}/events/human_approval", json=APPROVAL).is_success
    assert wait_for_end(api, runs.parked)["output"]["verdict"] == "approved"
    check_effects(db, runs)
    eventually("nothing is frozen", lambda: not frozen(hasty), seconds=30)


def strangers(stack: Stack) -> list[str]:
    found: list[str] = holdfast(stack, "doctor", "-o", "json").document["strangers"]
    return found


def test_a_run_whose_state_is_gone_is_begun_anew_and_gets_its_events_again(
    hasty: Stack, api: httpx.Client, db: Engine
) -> None:
    keys = ["gone-chain|0|step2|0", "gone-order|0|record_decision|0"]
    with closing(hold(hasty, keys)):
        chain = start(api, "task_chain", 1, instance_id="gone-chain")
        order = start(api, "request_escalation", ORDER, instance_id="gone-order")
        wait_for_state(api, order, "RUNNING")
        eventually("it waits", lambda: waits_for_approval(api, order))
        assert api.post(f"/runs/{order}/events/human_approval", json=APPROVAL).is_success
        eventually("both are at their step", lambda: begun(db, keys) == len(keys), seconds=60)
        hasty.stop("orchestrator-sidecar")
        with db.begin() as connection:
            connection.execute(text("DELETE FROM dapr.state WHERE key LIKE '%||gone-%'"))
    hasty.start("orchestrator-sidecar")
    hasty.wait_until_ready()

    both = {chain: "missing", order: "missing"}
    eventually("both are found", lambda: frozen(hasty) == both, seconds=30)

    repair_all(hasty, len(both))

    assert wait_for_end(api, chain)["output"] == [2, 4, 16]
    assert wait_for_end(api, order)["output"]["verdict"] == "approved"
    assert steps(db, chain) == ["step1", "step2", "step3"]
    assert steps(db, order) == ["record_decision", "process_approval_activity"]


@pytest.fixture(scope="module")
def unsafe_stack(stack_name: str) -> Iterator[Stack]:
    """A stack whose orchestrator has no local step after a timer."""
    broken = [sys.executable, "-m", "tests.broken.orchestrator_without_local_step"]
    with running_stack(
        f"{stack_name}-unsafe",
        commands={"orchestrator": broken},
        service_env={"orchestrator": {"PYTHONPATH": str(ROOT)}, "status-api": HASTY},
    ) as stack:
        yield stack


def test_a_run_that_the_engine_can_never_load_again_is_mended(unsafe_stack: Stack) -> None:
    with client_of(unsafe_stack) as api, engine_client(unsafe_stack) as orchestrator:
        run = hazard_1.provoke(unsafe_stack, api)

        def unreadable() -> bool:
            detail = orchestrator.get(f"/instances/{run}").json().get("detail", "")
            return "declared in metadata" in detail and "missing" in detail

        eventually("the engine says that it cannot read the run", unreadable, seconds=60)
        eventually("the doctor finds it", lambda: frozen(unsafe_stack) == {run: "unreadable"})
        other = start(api, "task_chain", 1)
        assert wait_for_end(api, other)["output"] == [2, 4, 16]

        done = holdfast(unsafe_stack, "wf", "repair", run, "--reason", "hazard 1", "-o", "json")

        assert (done.code, done.document["action"]) == (0, "repair"), done.err
        assert wait_for_end(api, run)["output"]["verdict"] == "approved"
        again = holdfast(unsafe_stack, "wf", "repair", run)
        assert again.code == 5  # it has ended
        assert frozen(unsafe_stack) == {}
        with database_of(unsafe_stack) as engine, engine.connect() as connection:
            decided = "SELECT count(*) FROM work.effects WHERE instance = :run"
            assert connection.scalar(text(decided), {"run": run}) == 2
