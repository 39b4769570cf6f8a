"""Batches of legs: loaded whole, or not at all."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_status_api import legs
from tests.integration.status_api.asking import problem

CSV = {"Content-Type": "text/csv"}
CODES = sorted(legs.airports())


def csv_of(count: int) -> list[str]:
    pairs = itertools.product(CODES, CODES)
    return [
        "origin,destination",
        *(",".join(pair) for pair in itertools.islice(pairs, 1, count + 1)),
    ]


def stored(rows: Engine) -> tuple[int, int]:
    with rows.connect() as connection:
        return (
            int(connection.scalar(text("SELECT count(*) FROM work.batches")) or 0),
            int(connection.scalar(text("SELECT count(*) FROM work.batch_legs")) or 0),
        )


@pytest.fixture
def nothing_stored(rows: Engine) -> Iterator[None]:
    before = stored(rows)
    yield
    assert stored(rows) == before


def load(api: httpx.Client, lines: list[str], **query: str) -> httpx.Response:
    return api.post("/batches", content="\n".join(lines), headers=CSV, params=query)


def test_ten_thousand_legs_are_loaded_in_order_and_within_seconds(
    lone_api: httpx.Client, rows: Engine
) -> None:
    lines = csv_of(10_000)
    begun = time.monotonic()
    answer = load(lone_api, lines)
    assert time.monotonic() - begun < 10
    assert answer.status_code == 201, answer.text
    assert answer.json()["legs"] == 10_000
    with rows.connect() as connection:
        kept = connection.execute(
            text(
                "SELECT idx, origin || ',' || destination AS leg FROM work.batch_legs"
                " WHERE batch_id = :id ORDER BY idx"
            ),
            {"id": answer.json()["batch_id"]},
        ).all()
    assert [row.idx for row in kept] == list(range(10_000))
    assert [row.leg for row in kept] == lines[1:]


@pytest.mark.usefixtures("nothing_stored")
def test_one_bad_row_among_10_000_is_named_and_nothing_is_stored(lone_api: httpx.Client) -> None:
    lines = csv_of(10_000)
    lines[7_654] = "JFK,QQQ"
    body = problem(load(lone_api, lines), 422)
    assert [fault["line"] for fault in body["errors"]] == [7_655]
    assert "QQQ" in body["errors"][0]["detail"]


@pytest.mark.usefixtures("nothing_stored")
def test_every_bad_row_is_named(lone_api: httpx.Client) -> None:
    lines = csv_of(1_000)
    for number in range(1, 1_001, 2):
        lines[number] = "XXX"
    body = problem(load(lone_api, lines), 422)
    assert [fault["line"] for fault in body["errors"]] == list(range(2, 1_002, 2))


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"", 1),
        (b"origin,destination\n", 2),
        (b"from,to\nJFK,LHR\n", 1),
        (b"origin,destination,km\nJFK,LHR,5540\n", 1),
        (b"origin,destination\nJFK,LHR\nJFK\n", 3),
        (b"origin,destination\nJFK,LHR\nJFK,\n", 3),
        (b"origin,destination\nJFK,LHR\nJFK,\xff\xff\xff\n", 3),
        (b"origin,destination\nJFK,QQQ\n", 2),
    ],
)
def test_a_file_that_is_no_batch_is_a_422_with_its_line(
    lone_api: httpx.Client, raw: bytes, line: int
) -> None:
    body = problem(lone_api.post("/batches", content=raw, headers=CSV), 422)
    assert [fault["line"] for fault in body["errors"]] == [line]


@pytest.mark.usefixtures("nothing_stored")
def test_a_batch_beyond_100_000_legs_is_a_413(lone_api: httpx.Client) -> None:
    problem(load(lone_api, csv_of(100_001)), 413)


@pytest.mark.usefixtures("nothing_stored")
def test_a_file_beyond_10_mib_is_a_413(lone_api: httpx.Client) -> None:
    raw = b"origin,destination\n" + b"JFK,LHR\n" * 1_400_000
    problem(lone_api.post("/batches", content=raw, headers=CSV), 413)


@pytest.mark.usefixtures("nothing_stored")
def test_a_file_that_is_not_declared_as_csv_is_a_415(lone_api: httpx.Client) -> None:
    problem(lone_api.post("/batches", json={"legs": []}), 415)


def test_a_batch_id_is_given_once(lone_api: httpx.Client, rows: Engine) -> None:
    batch_id = f"mine-{uuid.uuid4().hex}"
    first = load(lone_api, csv_of(3), batch_id=batch_id)
    assert (first.status_code, first.json()) == (201, {"batch_id": batch_id, "legs": 3})
    before = stored(rows)
    problem(load(lone_api, csv_of(5), batch_id=batch_id), 409)
    assert stored(rows) == before


@pytest.mark.usefixtures("nothing_stored")
def test_a_batch_id_outside_the_alphabet_is_a_422(lone_api: httpx.Client) -> None:
    body = problem(load(lone_api, csv_of(3), batch_id="a b"), 422)
    assert body["errors"][0]["parameter"] == "batch_id"
