"""Lifecycle events at real receivers: signed, in order, again and again, and never too far."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text

from holdfast_contracts.request_escalation import HUMAN_APPROVAL
from holdfast_contracts.task_chain import TASK_CHAIN
from holdfast_status_api.index import RunIndex
from holdfast_status_api.orchestrator import EngineRun
from tests.integration.status_api.asking import problem
from tests.integration.status_api.service import Service, running_service
from tests.support.http_server import Answer, Request, Site, running_site
from tests.support.postgres import Database
from tests.support.runs import start
from tests.support.waiting import eventually

_QUICK = {
    "HOLDFAST_WEBHOOK_ALLOW_LOOPBACK": "true",
    "HOLDFAST_WEBHOOK_ATTEMPTS": "3",
    "HOLDFAST_WEBHOOK_TIMEOUT_SECONDS": "1",
    "HOLDFAST_WEBHOOK_FIRST_RETRY_SECONDS": "0.05",
}
_SECRET = "a-secret-of-the-receiver"
_TYPES = "dev.holdfast.run."


@pytest.fixture(scope="module")
def telling(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give a status API that may reach this machine, and that loses patience soon."""
    with running_service(database, tmp_path_factory.mktemp("telling"), _QUICK) as service:
        yield service


@pytest.fixture
def cautious(quiet_database: Database, tmp_path: Path) -> Iterator[Service]:
    """Give a status API with the default settings.

    It has a database of its own: it would share the deliveries of the other one.
    """
    with running_service(quiet_database, tmp_path) as service:
        yield service


@pytest.fixture
def admin(telling: Service) -> Iterator[httpx.Client]:
    """Give a client that leaves no webhook behind."""
    with telling.client("admin") as client:
        yield client
        for hook in client.get("/webhooks").json()["webhooks"]:
            client.delete(f"/webhooks/{hook['webhook_id']}")


@pytest.fixture
def index(database: Database) -> Iterator[RunIndex]:
    """Give the index as a process of the API writes it."""
    engine = create_engine(database.url("status"))
    yield RunIndex(engine)
    engine.dispose()


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def subscribe(admin: httpx.Client, url: str, *types: str, secret: str = _SECRET) -> str:
    document: dict[str, Any] = {"url": url, "secret": secret}
    if types:
        document["types"] = [_TYPES + name for name in types]
    answer = admin.post("/webhooks", json=document)
    assert answer.status_code == 201, answer.text
    webhook_id: str = answer.json()["webhook_id"]
    return webhook_id


def reported(
    index: RunIndex, run: str, status: str, minute: int, *, custom_status: str | None = None
) -> None:
    """Let the engine say something of a run."""
    report = {
        "instance_id": run,
        "workflow": TASK_CHAIN.name,
        "status": status,
        "created_at": "2030-01-01T00:00:00Z",
        "updated_at": f"2030-01-01T00:{minute:02}:00Z",
        "custom_status": custom_status,
        "failure": {"type": "Broken", "message": "it broke"} if status == "FAILED" else None,
    }
    index.absorb(EngineRun.model_validate(report))


def chain(admin: httpx.Client) -> str:
    return start(admin, TASK_CHAIN.name, 1)


def events_of(site: Site, run: str) -> list[dict[str, Any]]:
    """Return what the receiver was told of a run, in the order in which it came."""
    told = [json.loads(request.body) for request in list(site.requests)]
    return [event for event in told if event["subject"] == run]


def kinds(site: Site, run: str) -> list[str]:
    return [event["type"].removeprefix(_TYPES) for event in events_of(site, run)]


def dead_letters(admin: httpx.Client, webhook: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get(f"/webhooks/{webhook}/dead-letters").json()[
        "dead_letters"
    ]
    return found


def check_signature(request: Request, secret: str) -> None:
    stamp, _, signed = request.headers["holdfast-signature"].partition(",v1=")
    seconds = stamp.removeprefix("t=")
    expected = hmac.new(secret.encode(), f"{seconds}.".encode() + request.body, hashlib.sha256)
    assert hmac.compare_digest(signed, expected.hexdigest())
    assert abs(time.time() - int(seconds)) < 60


def test_a_run_tells_that_it_started_and_completed(
    admin: httpx.Client, index: RunIndex, site: Site
) -> None:
    subscribe(admin, f"{site.url}/hook?of=ours")
    run = chain(admin)
    reported(index, run, "RUNNING", 1)
    reported(index, run, "COMPLETED", 2)
    eventually("both have arrived", lambda: kinds(site, run) == ["started", "completed"])
    started, completed = events_of(site, run)
    assert started["specversion"] == "1.0"
    assert started["id"] == f"{run}.started"
    assert started["source"] == "/status-api"
    assert started["time"] == "2030-01-01T00:00:00Z"
    assert completed["time"] == "2030-01-01T00:02:00Z"
    assert completed["data"]["state"] == "COMPLETED"
    assert completed["data"]["workflow"] == TASK_CHAIN.name
    assert completed["sequence"] > started["sequence"]
    for request in site.requests:
        assert (request.method, request.path) == ("POST", "/hook?of=ours")
        assert request.headers["host"] == site.host
        assert request.headers["content-type"].startswith("application/cloudevents+json")
        check_signature(request, _SECRET)


def test_a_run_that_was_seen_only_at_its_end_tells_both(
    admin: httpx.Client, index: RunIndex, site: Site
) -> None:
    subscribe(admin, site.url)
    run = chain(admin)
    reported(index, run, "FAILED", 2)
    eventually("both have arrived", lambda: kinds(site, run) == ["started", "failed"])
    assert events_of(site, run)[1]["data"]["failure"] == {"type": "Broken", "message": "it broke"}


@pytest.mark.parametrize(("status", "kind"), [("TERMINATED", "terminated"), ("FAILED", "failed")])
def test_each_end_has_its_own_type(
    admin: httpx.Client, index: RunIndex, site: Site, status: str, kind: str
) -> None:
    subscribe(admin, site.url, kind)
    run = chain(admin)
    reported(index, run, status, 1)
    eventually("it has arrived", lambda: kinds(site, run) == [kind])


def test_a_run_that_waits_tells_for_what(admin: httpx.Client, index: RunIndex, site: Site) -> None:
    subscribe(admin, site.url, "waiting")
    run = chain(admin)
    waiting = f"waiting for {HUMAN_APPROVAL.name}"
    for minute in (1, 2):
        reported(index, run, "RUNNING", minute, custom_status=waiting)
    eventually("it has arrived", lambda: kinds(site, run) == ["waiting"])
    assert events_of(site, run)[0]["data"]["event"] == HUMAN_APPROVAL.name


def test_a_transition_that_two_processes_see_is_one_event(
    admin: httpx.Client, index: RunIndex, site: Site, rows: Engine
) -> None:
    subscribe(admin, site.url)
    run = chain(admin)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(8):
            pool.submit(reported, index, run, "RUNNING", 1)
            pool.submit(reported, index, run, "COMPLETED", 2)
    eventually("both have arrived", lambda: kinds(site, run) == ["started", "completed"])
    with rows.connect() as connection:
        noted = connection.execute(
            text("SELECT event_id FROM status.lifecycle WHERE instance_id = :run ORDER BY seq"),
            {"run": run},
        ).scalars()
        assert list(noted) == [f"{run}.started", f"{run}.completed"]


def test_a_change_that_is_undone_tells_nothing(
    admin: httpx.Client, site: Site, rows: Engine
) -> None:
    subscribe(admin, site.url)
    run = chain(admin)
    with rows.connect() as connection:
        connection.execute(
            text(
                "UPDATE status.runs SET state = 'COMPLETED', started_at = now(),"
                " finished_at = now() WHERE instance_id = :run"
            ),
            {"run": run},
        )
        count = text("SELECT count(*) FROM status.lifecycle WHERE instance_id = :run")
        assert connection.scalar(count, {"run": run}) == 2
        connection.rollback()
        assert connection.scalar(count, {"run": run}) == 0


def test_events_of_a_run_keep_their_order_when_the_first_fails(
    admin: httpx.Client, index: RunIndex, site: Site
) -> None:
    site.answers = [Answer(503), Answer(500), Answer(204)]
    subscribe(admin, site.url)
    run = chain(admin)
    reported(index, run, "COMPLETED", 1)
    eventually(
        "all have arrived",
        lambda: kinds(site, run) == ["started", "started", "started", "completed"],
    )


def test_a_receiver_that_is_broken_gets_its_dead_letters_when_it_is_mended(
    admin: httpx.Client, index: RunIndex, site: Site
) -> None:
    site.answers = [Answer(500)]
    hook = subscribe(admin, site.url)
    run = chain(admin)
    reported(index, run, "COMPLETED", 1)
    eventually("both were given up", lambda: len(dead_letters(admin, hook)) == 2)
    letters = dead_letters(admin, hook)
    assert [letter["event_id"] for letter in letters] == [f"{run}.started", f"{run}.completed"]
    assert {letter["attempts"] for letter in letters} == {3}
    assert letters[0]["last_error"] == "the receiver answered 500"
    assert kinds(site, run) == ["started"] * 3 + ["completed"] * 3
    (listed,) = admin.get("/webhooks").json()["webhooks"]
    assert (listed["waiting"], listed["dead"]) == (0, 2)

    site.answers = [Answer(200)]
    site.requests.clear()
    answer = admin.post(f"/webhooks/{hook}/dead-letters/redeliver")
    assert (answer.status_code, answer.json()) == (202, {"redelivering": 2})
    eventually("both have arrived", lambda: kinds(site, run) == ["started", "completed"])
    eventually("none is left", lambda: dead_letters(admin, hook) == [])


def test_one_dead_letter_can_be_chosen(admin: httpx.Client, index: RunIndex, site: Site) -> None:
    site.answers = [Answer(500)]
    hook = subscribe(admin, site.url)
    run = chain(admin)
    reported(index, run, "COMPLETED", 1)
    eventually("both were given up", lambda: len(dead_letters(admin, hook)) == 2)
    site.answers = [Answer(200)]
    answer = admin.post(
        f"/webhooks/{hook}/dead-letters/redeliver", json={"event_ids": [f"{run}.completed"]}
    )
    assert answer.json() == {"redelivering": 1}
    eventually("it has arrived", lambda: len(dead_letters(admin, hook)) == 1)


def test_a_slow_receiver_does_not_hold_up_others(
    admin: httpx.Client, index: RunIndex, site: Site
) -> None:
    release = threading.Event()
    with running_site() as slow:
        slow.answers = [Answer(after=release)]
        try:
            lazy = subscribe(admin, slow.url, "completed")
            subscribe(admin, site.url, "completed")
            runs = [chain(admin) for _ in range(40)]
            for run in runs:
                reported(index, run, "COMPLETED", 1)
            eventually("the quick one has all", lambda: len(site.requests) == len(runs), seconds=10)
            assert {json.loads(request.body)["subject"] for request in site.requests} == set(runs)
            eventually("the slow one was given up on", lambda: dead_letters(admin, lazy))
            assert dead_letters(admin, lazy)[0]["last_error"] == "no answer within 1 s"
        finally:
            release.set()


class _Dripping(BaseHTTPRequestHandler):
    """Answers one byte now and then, without end."""

    stopped = threading.Event()

    def do_POST(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.stopped.wait(0.1):
            try:
                self.wfile.write(b"a")
            except OSError:
                return

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_a_receiver_that_answers_a_byte_at_a_time_is_cut_off(
    admin: httpx.Client, index: RunIndex
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Dripping)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        hook = subscribe(admin, f"http://127.0.0.1:{server.server_address[1]}/", "completed")
        run = chain(admin)
        reported(index, run, "COMPLETED", 1)
        letters = eventually("it was given up", lambda: dead_letters(admin, hook))
        assert letters[0]["last_error"] == "no answer within 1 s"
    finally:
        _Dripping.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_redirects_are_not_followed(admin: httpx.Client, index: RunIndex, site: Site) -> None:
    with running_site() as elsewhere:
        site.answers = [Answer(307, headers={"location": elsewhere.url})]
        hook = subscribe(admin, site.url, "completed")
        run = chain(admin)
        reported(index, run, "COMPLETED", 1)
        letters = eventually("it was given up", lambda: dead_letters(admin, hook))
        assert letters[0]["last_error"] == "the receiver answered 307; redirects are not followed"
        assert elsewhere.requests == []


def test_two_services_on_one_database_deliver_each_event_once(
    database: Database,
    telling: Service,
    admin: httpx.Client,
    index: RunIndex,
    tmp_path: Path,
    site: Site,
) -> None:
    with running_service(database, tmp_path, _QUICK):
        subscribe(admin, site.url)
        runs = [chain(admin) for _ in range(60)]
        for run in runs:
            reported(index, run, "COMPLETED", 1)
        eventually("all have arrived", lambda: len(site.requests) >= 120, seconds=30)
        eventually(
            "nothing waits",
            lambda: admin.get("/webhooks").json()["webhooks"][0]["waiting"] == 0,
        )
    times = Counter(json.loads(request.body)["id"] for request in site.requests)
    assert set(times.values()) == {1}
    assert len(times) == 120
    for run in runs:
        assert kinds(site, run) == ["started", "completed"]


def test_a_killed_service_leaves_nothing_undelivered(
    database: Database, admin: httpx.Client, index: RunIndex, tmp_path: Path
) -> None:
    release = threading.Event()
    with running_site() as slow:
        slow.answers = [Answer(after=release), Answer(after=release), Answer()]
        with running_service(database, tmp_path, _QUICK) as victim:
            try:
                subscribe(admin, slow.url, "completed")
                run = chain(admin)
                reported(index, run, "COMPLETED", 1)
                eventually("somebody sends", lambda: kinds(slow, run))
            finally:
                victim.kill()
                release.set()
        eventually(
            "it has arrived",
            lambda: admin.get("/webhooks").json()["webhooks"][0]["waiting"] == 0,
            seconds=40,
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0:8080/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://2852039166/",
        "ftp://127.0.0.1/",
        "http://user:password@127.0.0.1/",
        "http://127.0.0.1/\r\nX-Evil: 1",
        "http://no-such-host.invalid/",
    ],
)
def test_addresses_that_are_nobodys_business_are_refused(admin: httpx.Client, url: str) -> None:
    answer = admin.post("/webhooks", json={"url": url})
    assert problem(answer, 422)["errors"][0]["pointer"] == "/url"
    assert admin.get("/webhooks").json() == {"webhooks": []}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"])
def test_loopback_is_refused_where_it_is_not_allowed(cautious: Service, url: str) -> None:
    with cautious.client("admin") as client:
        body = problem(client.post("/webhooks", json={"url": url}), 422)
    assert "loopback" in body["errors"][0]["detail"]


def test_an_address_is_checked_again_at_delivery(
    admin: httpx.Client, index: RunIndex, rows: Engine, site: Site
) -> None:
    hook = subscribe(admin, site.url, "completed")
    with rows.begin() as connection:
        # What a name that has changed its address would come to.
        connection.execute(
            text("UPDATE status.webhooks SET url = 'http://169.254.169.254/' WHERE webhook_id=:id"),
            {"id": hook},
        )
    run = chain(admin)
    reported(index, run, "COMPLETED", 1)
    letters = eventually("it was given up", lambda: dead_letters(admin, hook))
    assert letters[0]["last_error"] == (
        "refused: 169.254.169.254 is 169.254.169.254, a link-local address"
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"url": 1},
        {"url": "http://127.0.0.1/", "types": []},
        {"url": "http://127.0.0.1/", "types": ["dev.holdfast.run.exploded"]},
        {"url": "http://127.0.0.1/", "secret": "short"},
        {"url": "http://127.0.0.1/", "secret": "with\r\nanother-line-in-it"},
        {"url": "http://127.0.0.1/", "colour": "red"},
        [],
        "http://127.0.0.1/",
    ],
)
def test_bad_subscriptions_are_refused(admin: httpx.Client, document: object) -> None:
    problem(admin.post("/webhooks", json=document), 422)
    assert admin.get("/webhooks").json() == {"webhooks": []}


def test_a_secret_is_shown_once(admin: httpx.Client) -> None:
    answer = admin.post("/webhooks", json={"url": "http://127.0.0.1:9/"})
    secret = answer.json()["secret"]
    assert len(secret) >= 32
    assert secret not in admin.get("/webhooks").text


def test_a_webhook_that_is_removed_is_told_no_more(
    admin: httpx.Client, index: RunIndex, site: Site
) -> None:
    with running_site() as witness:
        hook = subscribe(admin, site.url)
        subscribe(admin, witness.url)
        assert admin.delete(f"/webhooks/{hook}").status_code == 204
        run = chain(admin)
        reported(index, run, "COMPLETED", 1)
        eventually("the other was told", lambda: kinds(witness, run) == ["started", "completed"])
        assert site.requests == []
        problem(admin.delete(f"/webhooks/{hook}"), 404)
        problem(admin.get(f"/webhooks/{hook}/dead-letters"), 404)
        problem(admin.post(f"/webhooks/{hook}/dead-letters/redeliver"), 404)


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_webhooks_are_for_administrators(telling: Service, role: str) -> None:
    hook = uuid.uuid4().hex
    with telling.client(role) as client:
        problem(client.get("/webhooks"), 403)
        problem(client.post("/webhooks", json={"url": "http://127.0.0.1:9/"}), 403)
        problem(client.delete(f"/webhooks/{hook}"), 403)
        problem(client.get(f"/webhooks/{hook}/dead-letters"), 403)
        problem(client.post(f"/webhooks/{hook}/dead-letters/redeliver"), 403)
