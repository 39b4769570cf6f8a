"""Bodies that are too large, or nested without end: refused by every route that takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.integration.status_api.asking import problem, scheduled
from tests.integration.status_api.service import Service, running_service
from tests.support.examples import ORDER
from tests.support.postgres import Database

_LARGEST_BYTES = 64 * 1024
_DEEP = b"[" * 5_000 + b"]" * 5_000
_LARGE = b'"' + b"x" * _LARGEST_BYTES + b'"'
_CSV = "/batches"
_ROUTES = (
    "/workflows/{name}",
    "/runs/{instance_id}/events/{event}",
    "/runs/{instance_id}/suspend",
    "/runs/{instance_id}/resume",
    "/runs/{instance_id}/cancel",
    "/runs/{instance_id}/terminate",
    "/runs/{instance_id}/repair",
    "/runs/{instance_id}/rerun",
    "/bulk/{action}",
    "/webhooks",
    "/webhooks/{webhook_id}/dead-letters/redeliver",
    "/certificates",
    _CSV,
)
#: All that the routes store.
_COUNTS = text(
    "SELECT (SELECT count(*) FROM status.requests), (SELECT count(*) FROM status.events),"
    " (SELECT count(*) FROM status.commands), (SELECT count(*) FROM status.bulk_tokens),"
    " (SELECT count(*) FROM status.webhooks), (SELECT count(*) FROM status.deliveries),"
    " (SELECT count(*) FROM status.certificates), (SELECT count(*) FROM work.batches)"
)


@pytest.fixture(scope="module")
def narrow(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give an API with one limit for every kind of body: the one that webhooks have anyhow."""
    limit = str(_LARGEST_BYTES)
    environment = {
        "HOLDFAST_LARGEST_DOCUMENT_BYTES": limit,
        "HOLDFAST_LARGEST_CSV_BYTES": limit,
        "HOLDFAST_LARGEST_CERTIFICATE_BYTES": limit,
        "HOLDFAST_WEBHOOK_ALLOW_LOOPBACK": "true",
    }
    with running_service(database, tmp_path_factory.mktemp("narrow"), environment) as service:
        yield service


@pytest.fixture(scope="module")
def narrow_api(narrow: Service) -> Iterator[httpx.Client]:
    with narrow.client() as client:
        yield client


@pytest.fixture(scope="module")
def names(narrow_api: httpx.Client) -> dict[str, str]:
    """Give what the paths name: a run that waits, a webhook, and what there is without them."""
    # Nothing of what this webhook is told of happens here.
    hook = {"url": "http://127.0.0.1:1/", "types": ["dev.holdfast.run.completed"]}
    answer = narrow_api.post("/webhooks", json=hook)
    assert answer.status_code == 201, answer.text
    return {
        "name": "task_chain",
        "instance_id": scheduled(narrow_api, "request_escalation", ORDER),
        "event": "human_approval",
        "action": "terminate",
        "webhook_id": answer.json()["webhook_id"],
    }


def known(api: httpx.Client, rows: Engine, run: str) -> tuple[Any, ...]:
    """Return what would show that a refused request did something."""
    with rows.connect() as connection:
        counts = tuple(connection.execute(_COUNTS).one())
    return (*counts, api.get(f"/status/{run}").json())


def in_chunks() -> Iterator[bytes]:
    """Return a body whose length nobody declares."""
    for begin in range(0, len(_LARGE), 4096):
        yield _LARGE[begin : begin + 4096]


_BODIES: Mapping[str, tuple[Callable[[], bytes | Iterator[bytes]], HTTPStatus]] = {
    "large": (lambda: _LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    "large and in chunks": (in_chunks, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    "deep": (lambda: _DEEP, HTTPStatus.UNPROCESSABLE_ENTITY),
}


@pytest.mark.parametrize("body", _BODIES)
@pytest.mark.parametrize("route", _ROUTES)
def test_a_body_that_nobody_should_read_is_refused_and_changes_nothing(
    narrow_api: httpx.Client, rows: Engine, names: dict[str, str], route: str, body: str
) -> None:
    content, refusal = _BODIES[body]
    headers = {"Content-Type": "text/csv" if route == _CSV else "application/json"}
    before = known(narrow_api, rows, names["instance_id"])
    answer = narrow_api.post(route.format(**names), content=content(), headers=headers)
    problem(answer, refusal)
    assert known(narrow_api, rows, names["instance_id"]) == before


def test_every_route_that_takes_a_body_is_tried_here(narrow_api: httpx.Client) -> None:
    paths = narrow_api.get("/openapi.json").json()["paths"]
    assert set(_ROUTES) == {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if "requestBody" in operation
    }
