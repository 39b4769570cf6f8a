"""What the API accepts and refuses while no orchestrator is in reach."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS, WORKFLOWS
from holdfast_contracts.core import INSTANCE_ID_PATTERN
from tests.integration.status_api.asking import problem
from tests.support.examples import TRIP

JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1024 * 1024


def stored_runs(rows: Engine) -> int:
    with rows.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM status.requests")) or 0)


@pytest.fixture
def nothing_stored(rows: Engine) -> Iterator[None]:
    """Fail the test if it leaves a run behind."""
    before = stored_runs(rows)
    yield
    assert stored_runs(rows) == before


@pytest.mark.parametrize(
    ("workflow", "document"),
    [
        ("task_chain", 1),
        ("task_chain", -1),
        ("batch_processing", 10),
        ("batch_processing", {"batch_id": "mine"}),
        ("job_status_monitor", "http://127.0.0.1:1/job"),
        ("request_escalation", {"amount": 5000, "for": "a new roof"}),
        ("request_escalation", '{"amount": 5}'),
        ("book_trip", TRIP),
    ],
)
def test_a_run_is_accepted_while_the_orchestrator_is_away(
    lone_api: httpx.Client, workflow: str, document: object
) -> None:
    answer = lone_api.post(f"/workflows/{workflow}", json=document)
    assert answer.status_code == 202
    body = answer.json()
    assert re.fullmatch(INSTANCE_ID_PATTERN, body["instance_id"])
    assert answer.headers["Location"] == f"/status/{body['instance_id']}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert (body["workflow"], body["state"]) == (workflow, "PENDING")
    seen = lone_api.get(answer.headers["Location"])
    assert seen.status_code == 200
    assert (seen.json()["state"], seen.json()["input"]) == ("PENDING", document)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("name", ["no_such_workflow", "batch_chunk", "TASK_CHAIN", "%00", "a%20b"])
def test_an_unknown_or_internal_workflow_is_a_404(lone_api: httpx.Client, name: str) -> None:
    problem(lone_api.post(f"/workflows/{name}", json=1), 404)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("workflow", "document", "pointers"),
    [
        ("task_chain", "one", {""}),
        ("task_chain", 10**30, {""}),
        ("batch_processing", 0, {""}),
        ("batch_processing", {"items": 1, "batch_id": "b"}, {""}),
        ("job_status_monitor", {"job_id": "ftp://x"}, {"/job_id"}),
        ("job_status_monitor", {"poll_interval_seconds": 5}, {"/job_id"}),
        ("request_escalation", {"amount": "much"}, {"/amount"}),
        ("book_trip", {"traveller": "Ada"}, {"/flight", "/hotel", "/car"}),
        ("book_trip", TRIP | {"retry": {"attempts": 0}}, {"/retry/attempts"}),
        ("book_trip", TRIP | {"a/b~c": 1}, {"/a~1b~0c"}),
    ],
)
def test_input_that_breaks_the_contract_is_a_422_that_points_at_each_fault(
    lone_api: httpx.Client, workflow: str, document: object, pointers: set[str]
) -> None:
    body = problem(lone_api.post(f"/workflows/{workflow}", json=document), 422)
    assert {fault["pointer"] for fault in body["errors"]} == pointers
    assert all(fault["detail"] for fault in body["errors"])


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ('{"amount": NaN}', "/amount"),
        ('{"amount": Infinity}', "/amount"),
        ('{"amount": 5, "lines": [{"price": 1e999}]}', "/lines/0/price"),
        ('{"amount": 5, "note": "\\u0000"}', "/note"),
        ('"{\\"amount\\": NaN}"', ""),
    ],
)
def test_nan_and_its_like_are_a_422_that_points_at_them(
    lone_api: httpx.Client, raw: str, pointer: str
) -> None:
    answer = lone_api.post("/workflows/request_escalation", content=raw, headers=JSON)
    assert [fault["pointer"] for fault in problem(answer, 422)["errors"]] == [pointer]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("raw", ["{", "[1,", "one", "'x'"])
def test_malformed_json_is_a_400(lone_api: httpx.Client, raw: str) -> None:
    problem(lone_api.post("/workflows/task_chain", content=raw, headers=JSON), 400)


@pytest.mark.usefixtures("nothing_stored")
def test_an_empty_body_is_a_422(lone_api: httpx.Client) -> None:
    problem(lone_api.post("/workflows/task_chain", headers=JSON), 422)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("depth", [100, 5_000, 200_000])
def test_nesting_without_end_is_a_422(lone_api: httpx.Client, depth: int) -> None:
    raw = "[" * depth + "]" * depth
    problem(lone_api.post("/workflows/request_escalation", content=raw, headers=JSON), 422)
    held = json.dumps("[" * depth)
    problem(lone_api.post("/workflows/request_escalation", content=held, headers=JSON), 422)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_declared_as_json_is_a_415(
    lone_api: httpx.Client, media_type: str
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    problem(lone_api.post("/workflows/task_chain", content=b"1", headers=headers), 415)


@pytest.mark.usefixtures("nothing_stored")
def test_a_body_of_10_mb_is_a_413(lone_api: httpx.Client) -> None:
    raw = json.dumps({"amount": 5, "note": "x" * 10_000_000})
    problem(lone_api.post("/workflows/request_escalation", content=raw, headers=JSON), 413)


@pytest.mark.usefixtures("nothing_stored")
def test_a_body_of_10_mb_in_chunks_is_a_413(lone_api: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"amount": 5, "note": "'
        for _ in range(160):
            yield b"x" * 65_536
        yield b'"}'

    answer = lone_api.post("/workflows/request_escalation", content=chunks(), headers=JSON)
    problem(answer, 413)


def test_a_body_just_within_the_limit_is_accepted(lone_api: httpx.Client) -> None:
    frame = len(json.dumps({"amount": 5, "note": ""}))
    raw = json.dumps({"amount": 5, "note": "x" * (MEBIBYTE - frame)})
    assert len(raw) == MEBIBYTE
    accepted = lone_api.post("/workflows/request_escalation", content=raw, headers=JSON)
    assert accepted.status_code == 202
    problem(lone_api.post("/workflows/request_escalation", content=raw + " ", headers=JSON), 413)


def test_a_connection_that_sent_too_much_can_be_used_again(lone_api: httpx.Client) -> None:
    raw = b'"' + b"x" * (3 * MEBIBYTE) + b'"'
    problem(lone_api.post("/workflows/task_chain", content=raw, headers=JSON), 413)
    problem(lone_api.post("/workflows/nothing", content=raw, headers=JSON), 404)
    assert lone_api.post("/workflows/task_chain", json=1).status_code == 202


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "instance_id", ["", "a b", "a::b", "a||b", "a:b", "ä", "x" * 65, "a\n", "../a"]
)
def test_an_instance_id_outside_the_alphabet_is_a_422(
    lone_api: httpx.Client, instance_id: str
) -> None:
    query = {"instance_id": instance_id}
    body = problem(lone_api.post("/workflows/task_chain", params=query, json=1), 422)
    assert [fault["parameter"] for fault in body["errors"]] == ["instance_id"]


def test_an_instance_id_is_given_once(lone_api: httpx.Client) -> None:
    query = {"instance_id": f"mine-{uuid.uuid4().hex}"}
    first = lone_api.post("/workflows/task_chain", params=query, json=1)
    assert (first.status_code, first.json()["instance_id"]) == (202, query["instance_id"])
    problem(lone_api.post("/workflows/task_chain", params=query, json=1), 409)
    problem(lone_api.post("/workflows/book_trip", params=query, json=TRIP), 409)
    untouched = lone_api.get(f"/status/{query['instance_id']}").json()
    assert (untouched["workflow"], untouched["input"]) == ("task_chain", 1)


def test_an_instance_id_stays_taken_when_the_run_was_purged(
    lone_api: httpx.Client, rows: Engine
) -> None:
    query = {"instance_id": f"purged-{uuid.uuid4().hex}"}
    assert lone_api.post("/workflows/task_chain", params=query, json=1).status_code == 202
    with rows.begin() as connection:
        connection.execute(
            text("DELETE FROM status.runs WHERE instance_id = :id"), {"id": query["instance_id"]}
        )
    problem(lone_api.post("/workflows/task_chain", params=query, json=1), 409)


def test_twenty_clients_with_one_instance_id_start_one_run(lone_api: httpx.Client) -> None:
    query = {"instance_id": f"contested-{uuid.uuid4().hex}"}
    with ThreadPoolExecutor(20) as clients:
        codes = clients.map(
            lambda number: (
                lone_api.post("/workflows/task_chain", params=query, json=number).status_code
            ),
            range(20),
        )
        assert sorted(codes) == [202] + [409] * 19


def test_twenty_clients_with_one_idempotency_key_get_one_run_and_one_answer(
    lone_api: httpx.Client, rows: Engine
) -> None:
    key = uuid.uuid4().hex
    before = stored_runs(rows)
    with ThreadPoolExecutor(20) as clients:
        answers = list(
            clients.map(
                lambda _: lone_api.post(
                    "/workflows/task_chain", json=7, headers={"Idempotency-Key": key}
                ),
                range(20),
            )
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert stored_runs(rows) == before + 1


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/workflows/task_chain", 8),
        ("/workflows/batch_processing", 7),
        ("/workflows/task_chain?instance_id=another", 7),
    ],
)
def test_an_idempotency_key_with_another_request_is_a_422(
    lone_api: httpx.Client, path: str, document: object
) -> None:
    header = {"Idempotency-Key": uuid.uuid4().hex}
    first = lone_api.post("/workflows/task_chain", json=7, headers=header)
    body = problem(lone_api.post(path, json=document, headers=header), 422)
    assert body["errors"][0]["header"] == "Idempotency-Key"
    again = lone_api.post("/workflows/task_chain", json=7, headers=header)
    assert again.text == first.text


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_an_idempotency_key_that_proxies_could_change_is_a_422(
    lone_api: httpx.Client, key: str
) -> None:
    header = {b"Idempotency-Key": key.encode("latin-1")}
    problem(lone_api.post("/workflows/task_chain", json=7, headers=header), 422)


@pytest.mark.usefixtures("nothing_stored")
def test_a_mistyped_query_parameter_is_a_422_and_not_ignored(lone_api: httpx.Client) -> None:
    body = problem(lone_api.post("/workflows/task_chain?instanceid=x", json=1), 422)
    assert body["errors"][0]["parameter"] == "instanceid"


@pytest.mark.parametrize("instance_id", ["never-seen", "a b", "a::b", "x" * 500, "%00"])
def test_a_run_never_seen_is_a_404(lone_api: httpx.Client, instance_id: str) -> None:
    problem(lone_api.get(f"/status/{instance_id}"), 404)
    problem(lone_api.get(f"/runs/{instance_id}/events"), 404)


def test_a_run_that_did_not_change_is_a_304(lone_api: httpx.Client) -> None:
    location = lone_api.post("/workflows/task_chain", json=1).headers["Location"]
    seen = lone_api.get(location)
    again = lone_api.get(location, headers={"If-None-Match": seen.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert lone_api.get(location, headers={"If-None-Match": '"another"'}).status_code == 200


def test_the_catalogue_offers_every_public_workflow_with_its_schemas(
    lone_api: httpx.Client,
) -> None:
    listed = {entry["name"]: entry for entry in lone_api.get("/workflows").json()["workflows"]}
    assert set(listed) == set(PUBLIC_WORKFLOWS)
    assert set(WORKFLOWS) - set(listed) == {"batch_chunk"}
    assert listed["book_trip"]["cancellable"] is True
    assert listed["task_chain"]["cancellable"] is False
    (approval,) = listed["request_escalation"]["events"]
    assert approval["data_schema"]["required"] == ["approved"]


def test_an_unknown_route_and_a_wrong_method_are_problems(lone_api: httpx.Client) -> None:
    problem(lone_api.get("/nothing/here"), 404)
    refused = lone_api.delete("/workflows/task_chain")
    problem(refused, 405)
    assert "POST" in refused.headers["Allow"]
