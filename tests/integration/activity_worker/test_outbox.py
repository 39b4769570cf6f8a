from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from holdfast_activity_worker.outbox import Outbox
from holdfast_contracts.job_status_monitor import NOTIFY_COMPLETE, NOTIFY_FAILURE
from tests.integration.activity_worker.hands import Admin, Hands, key, rows
from tests.support.http_server import Answer, Site
from tests.support.waiting import eventually

ROW = "SELECT delivered_at IS NOT NULL, attempts, last_error FROM work.notifications WHERE id = %s"
FIRST_DELAY_SECONDS = 0.05
MakeOutbox = Callable[[str | None], Outbox]


@pytest.fixture(autouse=True)
def _empty(admin: Admin) -> None:
    admin.execute("DELETE FROM work.notifications")


@pytest.fixture
def make_outbox(hands: Hands) -> Iterator[MakeOutbox]:
    made: list[Outbox] = []

    def make(url: str | None) -> Outbox:
        made.append(
            Outbox(
                hands.engine,
                url,
                "activity-worker",
                hands.metrics,
                poll_seconds=0.05,
                first_delay_seconds=FIRST_DELAY_SECONDS,
            )
        )
        return made[-1]

    yield make
    for outbox in made:
        outbox.stop()


def test_a_notification_is_posted_until_the_webhook_takes_it(
    hands: Hands, admin: Admin, site: Site, run: str, make_outbox: MakeOutbox
) -> None:
    site.answers = [Answer(status=500), Answer(status=503), Answer(status=204, body=b"")]
    hands.do(NOTIFY_COMPLETE, run, job_id="kubernetes:batch/nightly", polls=3, closes_run=True)
    make_outbox(f"{site.url}/hook").start()
    name = key(NOTIFY_COMPLETE, run)
    eventually("it is delivered", lambda: rows(admin, ROW, name) == [(True, 3, None)])
    bodies = [json.loads(request.body) for request in site.requests]
    assert bodies == [bodies[0]] * 3
    assert bodies[0]["id"] == name
    assert bodies[0]["type"] == "holdfast.job.completed"
    assert bodies[0]["data"] == {
        "instance": run,
        "job_id": "kubernetes:batch/nightly",
        "status": "completed",
        "polls": 3,
    }
    assert site.requests[0].path == "/hook"
    assert site.requests[0].headers["content-type"].startswith("application/cloudevents+json")
    eventually(
        "it counts as delivered",
        lambda: hands.count("holdfast_outbox_deliveries_total", outcome="delivered") == 1,
    )


def test_a_repeated_step_notifies_once(hands: Hands, admin: Admin, run: str) -> None:
    for _ in range(2):
        notified = hands.do(NOTIFY_FAILURE, run, job_id="http://x/", polls=1, detail="gone")
        assert notified.notification_id == key(NOTIFY_FAILURE, run)
    query = "SELECT kind, payload ->> 'detail' FROM work.notifications WHERE instance = %s"
    assert rows(admin, query, run) == [("holdfast.job.failed", "gone")]


def test_without_a_webhook_notifications_stay(
    hands: Hands, admin: Admin, run: str, make_outbox: MakeOutbox
) -> None:
    hands.do(NOTIFY_FAILURE, run, job_id="http://x/", polls=1, detail="gone")
    outbox = make_outbox(None)
    assert not outbox.deliver_one()
    outbox.measure()
    assert hands.count("holdfast_outbox_depth", outbox="notifications") == 1
    assert hands.count("holdfast_outbox_oldest_seconds", outbox="notifications") > 0
    assert rows(admin, ROW, key(NOTIFY_FAILURE, run)) == [(False, 0, None)]


def test_a_failed_delivery_says_why_and_waits_longer_each_time(
    hands: Hands, admin: Admin, site: Site, run: str, make_outbox: MakeOutbox
) -> None:
    site.answers = [Answer(status=500)]
    hands.do(NOTIFY_FAILURE, run, job_id="http://x/", polls=1, detail="gone")
    outbox = make_outbox(site.url)
    for attempt in range(1, 4):
        before: Any
        due: Any
        after: Any
        ((before,),) = rows(admin, "SELECT clock_timestamp()")
        eventually("it is tried when it is due", outbox.deliver_one)
        assert rows(admin, ROW, key(NOTIFY_FAILURE, run)) == [
            (False, attempt, "the webhook answered 500")
        ]
        ((due, after),) = rows(
            admin, "SELECT next_attempt_at, clock_timestamp() FROM work.notifications"
        )
        wait = timedelta(seconds=FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
        assert before + wait <= due <= after + wait


def test_one_delivery_is_under_way_in_one_process_only(
    hands: Hands, admin: Admin, site: Site, run: str, make_outbox: MakeOutbox
) -> None:
    hands.do(NOTIFY_FAILURE, run, job_id="http://x/", polls=1, detail="gone")
    with admin.transaction():
        admin.execute("SELECT FROM work.notifications FOR UPDATE")  # as the other process does
        assert not make_outbox(site.url).deliver_one()
    assert site.requests == []
