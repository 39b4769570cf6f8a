"""Every pattern, on a real stack, through the public API."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from geographiclib.geodesic import Geodesic
from sqlalchemy import Engine, text

from holdfast_activity_worker.geodesy import airports
from tests.support.examples import TRIP
from tests.support.holding import commits_held
from tests.support.http_server import Answer, running_site
from tests.support.ledger import effects
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LEGS = [("AMS", "JFK"), ("JFK", "LAX"), ("LAX", "NRT"), ("NRT", "SIN"), ("SIN", "LHR")]


def rows(db: Engine, query: str, **values: object) -> list[tuple[Any, ...]]:
    with db.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def load(api: httpx.Client, legs: list[tuple[str, str]]) -> str:
    body = "origin,destination\n" + "".join(f"{a},{b}\n" for a, b in legs)
    answer = api.post("/batches", content=body, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["batch_id"])


def length_km(origin: str, destination: str) -> float:
    places = [airports()[code] for code in (origin, destination)]
    (lat1, lon1), (lat2, lon2) = ((p[0], p[1]) for p in places)
    return float(Geodesic.WGS84.Inverse(lat1, lon1, lat2, lon2)["s12"]) / 1000


def test_chain_returns_all_three_results_with_one_effect_each(
    api: httpx.Client, db: Engine
) -> None:
    run = start(api, "task_chain", 1)
    assert wait_for_end(api, run)["output"] == [2, 4, 16]
    assert effects(db, run) == ["0|step1|0", "0|step2|0", "0|step3|0"]


def test_failing_chain_is_retried_three_times_handled_and_failed(
    api: httpx.Client, db: Engine
) -> None:
    run = start(api, "task_chain", -1)
    ended = wait_for_end(api, run)
    assert ended["state"] == "FAILED"
    assert "step2" in ended["failure"]["message"]
    assert effects(db, run) == ["0|step1|0", "0|error_handler|0"]
    tried = "SELECT count(*) FROM work.attempts WHERE instance = :run AND step = 'step2'"
    assert rows(db, tried, run=run) == [(3,)]


# The last is more than a sidecar can put away at once: hazard 12 of docs/hazards.md.
@pytest.mark.parametrize("count", [5, 200, 10_000])
@pytest.mark.timeout(500)
def test_batch_measures_every_leg_and_stores_the_sum_once(
    api: httpx.Client, db: Engine, count: int
) -> None:
    legs = [LEGS[n % len(LEGS)] for n in range(count)]
    batch = load(api, legs)
    run = start(api, "batch_processing", {"batch_id": batch})
    output = wait_for_end(api, run, seconds=120 + count / 40)["output"]
    expected = sum(length_km(*leg) for leg in legs)
    assert output["count"] == count
    assert output["total_km"] == pytest.approx(expected, rel=1e-9)
    stored = "SELECT count, total_km FROM work.batch_results WHERE batch_id = :batch"
    assert rows(db, stored, batch=batch) == [(count, output["total_km"])]
    measured = "SELECT sum(distance_km) FROM work.batch_legs WHERE batch_id = :batch"
    assert float(rows(db, measured, batch=batch)[0][0]) == pytest.approx(expected, rel=1e-9)


def test_batch_with_legs_that_fail_waits_for_the_others_names_them_and_stores_nothing(
    api: httpx.Client, db: Engine
) -> None:
    batch = load(api, [LEGS[n % len(LEGS)] for n in range(70)])
    with db.begin() as connection:
        gone = "DELETE FROM work.batch_legs WHERE batch_id = :batch AND idx IN (3, 66)"
        connection.execute(text(gone), {"batch": batch})
    run = start(api, "batch_processing", {"batch_id": batch})
    ended = wait_for_end(api, run)
    assert ended["state"] == "FAILED"
    assert ended["failure"]["type"] == "ItemsFailedError"
    for named in ("2 item(s) failed", "3: ", "66: "):
        assert named in ended["failure"]["message"]
    assert len([key for key in effects(db, run) if "process_work_item" in key]) == 68
    assert rows(db, "SELECT * FROM work.batch_results WHERE batch_id = :b", b=batch) == []
    closed = "SELECT instance FROM work.closed_runs WHERE instance LIKE :like ORDER BY 1"
    assert rows(db, closed, like=f"{run}%") == [(run,), (f"{run}:0:0",), (f"{run}:0:1",)]


def test_monitor_goes_on_as_new_after_fifty_polls_and_notifies_once(
    api: httpx.Client, db: Engine
) -> None:
    with running_site() as site:
        running = Answer(body=json.dumps({"status": "running"}).encode())
        done = Answer(body=json.dumps({"status": "completed"}).encode())
        site.answers[:] = [running] * 54 + [done]
        job = {"job_id": f"{site.url}/job", "poll_interval_seconds": 0.1}
        run = start(api, "job_status_monitor", job)
        output = wait_for_end(api, run)["output"]
    assert (output["status"], output["polls"]) == ("completed", 55)
    looks = [f"{n // 50}|check_job_status|{n % 50}" for n in range(55)]
    assert effects(db, run) == [*looks, "1|notify_complete|0"]
    assert rows(db, "SELECT id FROM work.notifications WHERE instance = :run", run=run) == [
        (f"{run}|1|notify_complete|0",)
    ]


def test_monitor_of_a_deleted_job_notifies_a_failure(api: httpx.Client, db: Engine) -> None:
    with running_site() as site:
        site.answers[:] = [Answer(status=404)]
        run = start(api, "job_status_monitor", f"{site.url}/job")
        output = wait_for_end(api, run)["output"]
    assert output["status"] == "failed"
    assert effects(db, run) == ["0|check_job_status|0", "0|notify_failure|0"]


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("http://jobs.example/job", "jobs.example"),
        ("kubernetes:default/some-job", "ubernetes"),
    ],
)
def test_monitor_of_a_job_that_cannot_be_asked_for_fails_at_once_and_says_why(
    api: httpx.Client, job: str, reason: str
) -> None:
    ended = wait_for_end(api, start(api, "job_status_monitor", job))
    assert ended["state"] == "FAILED"
    assert reason in ended["failure"]["message"]


def test_small_order_is_approved_at_once(api: httpx.Client, db: Engine) -> None:
    run = start(api, "request_escalation", {"amount": 999})
    assert wait_for_end(api, run)["output"]["verdict"] == "approved"
    assert effects(db, run) == ["0|auto_approve_activity|0"]


@pytest.mark.parametrize(("approved", "verdict"), [(True, "approved"), (False, "rejected")])
def test_large_order_is_decided_by_a_person(
    api: httpx.Client, db: Engine, *, approved: bool, verdict: str
) -> None:
    run = start(api, "request_escalation", {"amount": 1000})
    approve = {"approved": approved, "by": "operator"}
    assert api.post(f"/runs/{run}/events/human_approval", json=approve).status_code == 202
    assert wait_for_end(api, run)["output"]["verdict"] == verdict
    assert effects(db, run) == ["0|record_decision|0", "0|process_approval_activity|0"]


def test_large_order_that_nobody_decides_times_out(api: httpx.Client, db: Engine) -> None:
    run = start(api, "request_escalation", {"amount": 1000, "approval_window_seconds": 1})
    assert wait_for_end(api, run)["output"]["verdict"] == "timed_out"
    assert effects(db, run) == ["0|record_decision|0", "0|handle_timeout_activity|0"]


def test_trip_that_finds_everything_is_booked(api: httpx.Client, db: Engine) -> None:
    run = start(api, "book_trip", TRIP)
    assert wait_for_end(api, run)["output"]["outcome"] == "booked"
    booked = "SELECT kind FROM work.bookings WHERE instance = :run AND state = 'booked'"
    assert sorted(rows(db, booked, run=run)) == [("car",), ("flight",), ("hotel",)]


def test_trip_that_finds_the_cars_sold_out_is_undone_in_reverse(
    api: httpx.Client, db: Engine
) -> None:
    first = start(api, "book_trip", {**TRIP, "car": "convertible"})
    wait_for_end(api, first)
    run = start(api, "book_trip", {**TRIP, "car": "convertible"})
    ended = wait_for_end(api, run)
    assert ended["state"] == "FAILED"
    assert "sold out" in ended["failure"]["message"]
    assert effects(db, run)[:2] == ["0|book_flight|0", "0|book_hotel|0"]
    done = [key for key in effects(db, run) if "cancel" in key]
    assert done == ["0|cancel_car|0", "0|cancel_hotel|0", "0|cancel_flight|0"]
    assert unbalanced(db) == []


def test_trip_that_is_cancelled_between_steps_is_undone_and_reads_as_cancelled(
    api: httpx.Client, db: Engine
) -> None:
    with commits_held(db):
        run = start(api, "book_trip", TRIP)
        eventually("the flight stands before its commit", lambda: blocked(db), seconds=60)
        assert api.post(f"/runs/{run}/events/cancel", json={"reason": "rain"}).status_code == 202
        eventually("the engine has the event", lambda: receipt(api, run) == "delivered", seconds=60)
    ended = wait_for_end(api, run)
    assert (ended["state"], ended["output"]["reason"]) == ("CANCELLED", "rain")
    assert effects(db, run) == ["0|book_flight|0", "0|cancel_flight|0"]
    assert unbalanced(db) == []
    assert receipt(api, run) == "consumed"


def receipt(api: httpx.Client, run: str) -> str:
    return str(api.get(f"/runs/{run}/events").json()["events"][0]["state"])


def blocked(db: Engine) -> bool:
    waiting = """SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
                 WHERE relname = 'effects' AND NOT granted"""
    return bool(rows(db, waiting)[0][0])


def unbalanced(db: Engine) -> list[tuple[Any, ...]]:
    return rows(
        db,
        """SELECT i.kind, i.item, i.capacity - i.available, count(b.booking_id)
           FROM work.inventory i LEFT JOIN work.bookings b
             ON b.kind = i.kind AND b.item = i.item AND b.state = 'booked'
           GROUP BY i.kind, i.item HAVING i.capacity - i.available <> count(b.booking_id)""",
    )
