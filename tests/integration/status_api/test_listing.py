"""The list of runs, on a real PostgreSQL."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.integration.status_api.asking import problem, put
from tests.support.runs import start

EPOCH = datetime(2031, 1, 1, tzinfo=UTC)


def pages(api: httpx.Client, **query: str | int) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        answer = api.get("/runs", params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        yield [run["instance_id"] for run in body["runs"]]
        cursor = body["next"]
        if cursor is None:
            return


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_pages_show_each_run_once_whatever_is_accepted_while_they_are_turned(
    lone_api: httpx.Client, rows: Engine, data: st.DataObject
) -> None:
    mark = uuid.uuid4().hex[:12]
    # Few different moments: many runs share one, and their IDs decide.
    moments = st.integers(min_value=0, max_value=3)
    names = iter(range(1000))

    def some(most: int) -> list[tuple[str, datetime]]:
        offsets = data.draw(st.lists(moments, max_size=most))
        return [
            (f"{next(names):03}-{mark}", EPOCH + timedelta(seconds=offset)) for offset in offsets
        ]

    first = some(12)
    put(rows, first)
    limit = data.draw(st.integers(min_value=1, max_value=5))
    seen: list[str] = []
    for page in pages(lone_api, q=mark, limit=limit):
        assert len(page) <= limit
        seen += page
        put(rows, some(3))
    assert len(seen) == len(set(seen))
    assert {run for run, _ in first} <= set(seen)


def test_the_list_is_newest_first_and_runs_of_one_moment_have_an_order(
    lone_api: httpx.Client, rows: Engine
) -> None:
    mark = uuid.uuid4().hex[:12]
    put(rows, [(f"{letter}-{mark}", EPOCH) for letter in "bac"])
    put(rows, [(f"z-{mark}", EPOCH - timedelta(days=1)), (f"y-{mark}", EPOCH + timedelta(days=1))])
    (page,) = pages(lone_api, q=mark)
    assert page == [f"{letter}-{mark}" for letter in "ycbaz"]


def test_filters_narrow_the_list_together(lone_api: httpx.Client, rows: Engine) -> None:
    mark = uuid.uuid4().hex[:12]
    put(rows, [(f"old-{mark}", EPOCH)])
    put(rows, [(f"new-{mark}", EPOCH + timedelta(hours=1))], state="FAILED")

    def found(**query: str) -> list[str]:
        answer = lone_api.get("/runs", params={"q": mark, **query})
        return [run["instance_id"].partition("-")[0] for run in answer.json()["runs"]]

    later = (EPOCH + timedelta(hours=1)).isoformat()
    assert found() == ["new", "old"]
    assert found(state="FAILED") == ["new"]
    assert found(since=later) == ["new"]
    assert found(until=later) == ["old"]
    assert found(workflow="book_trip") == []
    assert found(workflow="task_chain", state="COMPLETED") == ["old"]
    both = lone_api.get("/runs", params=[("q", mark), ("state", "FAILED"), ("state", "COMPLETED")])
    assert len(both.json()["runs"]) == 2


@pytest.mark.parametrize("wildcard", ["%", "_", "\\", "%25"])
def test_what_is_looked_for_is_no_pattern(
    lone_api: httpx.Client, rows: Engine, wildcard: str
) -> None:
    mark = uuid.uuid4().hex[:12]
    put(rows, [(f"ax-{mark}", EPOCH)])
    assert list(pages(lone_api, q=f"a{wildcard}-{mark}")) == [[]]
    assert list(pages(lone_api, q=f"ax-{mark}")) == [[f"ax-{mark}"]]


def encoded(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "zz",
        "é",
        "a b",
        "====",
        encoded([]),
        encoded({}),
        encoded(["2031-01-01T00:00:00", "naive"]),
        encoded(["2031-01-01T00:00:00Z", "not:an:id"]),
        encoded(["2031-01-01T00:00:00Z", "a\0b"]),
        encoded(["not a time", "run"]),
        encoded(["2031-01-01T00:00:00Z", "run", "more"]),
        encoded([[[[[]]]]]),
    ],
)
def test_a_cursor_that_this_api_did_not_give_out_is_a_400(
    lone_api: httpx.Client, cursor: str
) -> None:
    body = problem(lone_api.get("/runs", params={"cursor": cursor}), 400)
    assert body["errors"][0]["parameter"] == "cursor"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("state=DONE", "state"),
        ("since=yesterday", "since"),
        ("since=2031-01-01T00:00:00", "since"),
        ("until=0001-01-01T00:00:00%2B14:00", "until"),
        ("q=%00", "q"),
        ("workflow=%00", "workflow"),
        ("q=" + "x" * 201, "q"),
        ("cursor=" + "x" * 401, "cursor"),
        ("colour=red", "colour"),
    ],
)
def test_a_filter_that_makes_no_sense_is_a_422_that_names_it(
    lone_api: httpx.Client, query: str, parameter: str
) -> None:
    body = problem(lone_api.get(f"/runs?{query}"), 422)
    assert body["errors"][0]["parameter"] == parameter


def test_a_run_is_in_the_list_as_soon_as_it_is_accepted(lone_api: httpx.Client) -> None:
    run = start(lone_api, "task_chain", 1)
    (found,) = lone_api.get("/runs", params={"q": run}).json()["runs"]
    status = lone_api.get(f"/status/{run}").json()
    assert found == {name: status[name] for name in found}
    assert found["origin"] == "api"
