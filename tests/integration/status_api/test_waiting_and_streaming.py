"""Requests that are held until a run changes: bounded, and cheap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.integration.status_api.asking import hence, problem, scheduled
from tests.integration.status_api.service import Service, running_service
from tests.support.metrics import total
from tests.support.postgres import Database
from tests.support.runs import start
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def narrow(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give an API of one process that holds two requests at most."""
    few = {"HOLDFAST_WORKERS": "1", "HOLDFAST_THREADS": "8", "HOLDFAST_HELD_REQUESTS": "2"}
    with running_service(database, tmp_path_factory.mktemp("narrow"), few) as service:
        yield service


@pytest.fixture
def narrow_api(narrow: Service) -> Iterator[httpx.Client]:
    with narrow.client() as client:
        yield client


def test_a_wait_is_held_while_nothing_changes_and_says_that_it_was(
    narrow_api: httpx.Client,
) -> None:
    run = scheduled(narrow_api, "task_chain", 1)
    begun = time.monotonic()
    answer = narrow_api.get(f"/status/{run}", headers={"Prefer": "respond-async, wait=1"})
    assert time.monotonic() - begun >= 1
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.json()["state"] == "PENDING"


def held_requests(api: httpx.Client) -> float:
    return total(api.get("/metrics").text, "holdfast_api_held_requests")


def test_a_held_answer_is_given_as_soon_as_the_run_changes(
    database: Database, tmp_path: Path
) -> None:
    one = {"HOLDFAST_WORKERS": "1"}
    with (
        running_service(database, tmp_path, one) as service,
        service.client() as api,
        service.client() as other,
        ThreadPoolExecutor(1) as waiting,
    ):
        run = scheduled(api, "task_chain", 1)
        before = api.get(f"/status/{run}")
        held = waiting.submit(other.get, f"/status/{run}", headers={"Prefer": "wait=20"})
        eventually("the answer is held", lambda: held_requests(api) == 1)
        begun = time.monotonic()
        assert api.post(f"/runs/{run}/terminate").status_code == 202
        answer = held.result(timeout=30)
        assert time.monotonic() - begun < 5
    assert answer.status_code == 200, answer.text
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert answer.json()["state"] == "TERMINATED"
    assert answer.headers["ETag"] != before.headers["ETag"]


def test_a_stream_ends_when_the_run_ends(narrow: Service, narrow_api: httpx.Client) -> None:
    run = scheduled(narrow_api, "task_chain", 1)
    with narrow.client() as other, other.stream("GET", f"/runs/{run}/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: status"
        # The stream is open, so the change comes while somebody waits.
        assert narrow_api.post(f"/runs/{run}/terminate").status_code == 202
        rest = "\n".join(lines)
    assert rest.count("event: status") == 1
    assert '"state":"TERMINATED"' in rest


def test_the_headers_of_an_answer_are_those_that_the_document_declares(
    narrow_api: httpx.Client,
) -> None:
    paths = narrow_api.get("/openapi.json").json()["paths"]
    named = {"Location", "Retry-After", "ETag", "Preference-Applied"}
    named |= {"RateLimit", "RateLimit-Policy", "WWW-Authenticate"}

    def check(operation: tuple[str, str], answer: httpx.Response, status: int) -> None:
        assert answer.status_code == status, answer.text
        path, method = operation
        declared = paths[path][method]["responses"][str(status)].get("headers", {})
        assert {name for name in named if name in answer.headers} == set(declared)

    tomorrow = {"start_at": hence(days=1)}
    accepted = narrow_api.post("/workflows/task_chain", params=tomorrow, json=1)
    check(("/workflows/{name}", "post"), accepted, 202)
    status = ("/status/{instance_id}", "get")
    location = accepted.headers["Location"]
    held = narrow_api.get(location, headers={"Prefer": "wait=1"})
    check(status, held, 200)
    same = {"Prefer": "wait=1", "If-None-Match": held.headers["ETag"]}
    check(status, narrow_api.get(location, headers=same), 304)
    run = accepted.json()["instance_id"]
    ended = narrow_api.post(f"/runs/{run}/terminate")
    check(("/runs/{instance_id}/terminate", "post"), ended, 202)


def test_an_answer_that_the_client_does_not_have_yet_is_not_held(narrow_api: httpx.Client) -> None:
    run = scheduled(narrow_api, "task_chain", 1)
    headers = {"Prefer": "wait=20", "If-None-Match": '"another"'}
    begun = time.monotonic()
    answer = narrow_api.get(f"/status/{run}", headers=headers)
    assert time.monotonic() - begun < 10
    assert "Preference-Applied" not in answer.headers
    etag = answer.headers["ETag"]
    held = narrow_api.get(f"/status/{run}", headers={"Prefer": "wait=1", "If-None-Match": etag})
    assert (held.status_code, held.headers["Preference-Applied"]) == (304, "wait=1")


def test_the_end_of_a_run_is_never_held(narrow_api: httpx.Client) -> None:
    run = scheduled(narrow_api, "task_chain", 1)
    narrow_api.post(f"/runs/{run}/terminate")
    begun = time.monotonic()
    answer = narrow_api.get(f"/status/{run}", headers={"Prefer": "wait=20"})
    assert time.monotonic() - begun < 10
    assert answer.json()["state"] == "TERMINATED"
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("prefer", ["wait", "wait=", "wait=-1", "wait=x", "wait=1.5", "await=9"])
def test_a_preference_that_makes_no_sense_is_ignored(narrow_api: httpx.Client, prefer: str) -> None:
    run = scheduled(narrow_api, "task_chain", 1)
    answer = narrow_api.get(f"/status/{run}", headers={"Prefer": prefer})
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers


def test_more_streams_than_there_is_room_for_are_a_503_and_all_else_is_answered(
    narrow: Service, narrow_api: httpx.Client
) -> None:
    run = start(narrow_api, "task_chain", 1)
    with ExitStack() as open_streams:
        for _ in range(2):
            client = open_streams.enter_context(narrow.client())
            stream = open_streams.enter_context(client.stream("GET", f"/runs/{run}/stream"))
            assert stream.status_code == 200
            assert stream.headers["Content-Type"] == "text/event-stream"
        refused = narrow_api.get(f"/runs/{run}/stream")
        assert problem(refused, 503)["title"] == "Too many streams"
        assert int(refused.headers["Retry-After"]) >= 1
        begun = time.monotonic()
        polled = narrow_api.get(f"/status/{run}", headers={"Prefer": "wait=20"})
        assert time.monotonic() - begun < 10
        assert polled.status_code == 200
        assert "Preference-Applied" not in polled.headers


def test_a_stream_that_was_left_makes_room_for_another(
    narrow: Service, narrow_api: httpx.Client
) -> None:
    run = scheduled(narrow_api, "task_chain", 1)
    for _ in range(6):
        with narrow.client() as client, client.stream("GET", f"/runs/{run}/stream") as stream:
            assert stream.status_code in {200, 503}
    narrow_api.post(f"/runs/{run}/terminate")
    answer = narrow_api.get(f"/runs/{run}/stream")
    assert answer.status_code in {200, 503}


def test_the_service_ends_in_order_although_somebody_waits(
    database: Database, tmp_path: Path
) -> None:
    one = {"HOLDFAST_WORKERS": "1"}
    with running_service(database, tmp_path, one) as service, service.client() as api:
        run = scheduled(api, "task_chain", 1)
        with api.stream("GET", f"/runs/{run}/stream") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: status"
            begun = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - begun < 20
