"""``holdfast wf run`` and ``rerun``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import Api, accepted_document, run_document

RUN = ("wf", "run", "task_chain")
Write = Callable[[str, str], Path]


@pytest.fixture
def accepting(api: Api) -> Api:
    api.on("POST", "/workflows/task_chain", accepted_document(), 202)
    return api


def test_run_shows_the_id_and_sends_the_input_as_it_was_given(cli: Cli, accepting: Api) -> None:
    # A reader that made numbers of it would change every one of these.
    text = '{"big": 123456789012345678901234567890, "precise": 1.10, "twice": 1}'

    done = cli(*RUN, "--input", text)

    assert done.code == 0
    assert "instance_id  r1\n" in done.out
    assert accepting.only.body.decode() == text
    assert accepting.only.headers["content-type"] == "application/json"


def test_input_comes_from_a_file_or_from_stdin(cli: Cli, accepting: Api, write: Write) -> None:
    write("in.json", '\ufeff{"a": 1}')

    assert cli(*RUN, "--input", "@in.json").code == 0
    assert cli(*RUN, "--input", "-", stdin='{"b": 2}').code == 0
    assert [asked.json for asked in accepting.asked] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    "text", ["hello", "", "{", "NaN", "[1,]", "[" * 200_000, "@nowhere.json", "@.", "@\0", "\udcff"]
)
def test_input_that_is_no_json_is_refused_before_anything_is_sent(
    cli: Cli, accepting: Api, text: str
) -> None:
    done = cli(*RUN, "--input", text)

    assert (done.code, done.out) == (7, "")
    assert "--input" in done.err
    assert accepting.asked == []


def test_every_option_of_a_start_reaches_the_api(cli: Cli, accepting: Api) -> None:
    done = cli(
        *(*RUN, "--instance-id", "my-run", "--idempotency-key", "k1"),
        *("--start-at", "2030-01-31T09:00:00+01:00", "--deadline", "2d"),
    )

    assert done.code == 0
    asked = accepting.only
    assert asked.query["instance_id"] == ["my-run"]
    assert asked.query["start_at"] == ["2030-01-31T08:00:00.000Z"]
    (deadline,) = asked.query["deadline"]
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    assert abs(datetime.fromisoformat(deadline) - in_two_days) < timedelta(minutes=1)
    assert asked.headers["idempotency-key"] == "k1"
    assert asked.body == b"null"


def test_two_runs_have_two_keys(cli: Cli, accepting: Api) -> None:
    cli(*RUN)
    cli(*RUN)

    assert len({asked.headers["idempotency-key"] for asked in accepting.asked}) == 2


@pytest.mark.parametrize("key", ["", "two words\n", "ä"])
def test_key_that_fits_no_header_is_refused(cli: Cli, accepting: Api, key: str) -> None:
    if key:
        assert cli(*RUN, "--idempotency-key", key).code == 7
        assert accepting.asked == []
    else:
        assert cli(*RUN, "--idempotency-key", key).code == 0
        assert accepting.only.headers["idempotency-key"]


def test_answer_in_json_is_the_answer_of_the_api(cli: Cli, accepting: Api) -> None:
    assert json.loads(cli(*RUN, "-o", "json").out) == accepted_document()


@pytest.mark.parametrize(
    ("state", "code"), [("COMPLETED", 0), ("FAILED", 1), ("TERMINATED", 1), ("CANCELLED", 1)]
)
def test_wait_ends_with_the_run_and_exits_by_its_state(
    cli: Cli, accepting: Api, state: str, code: int
) -> None:
    failure = {"type": "InvalidValueError", "message": "no"} if state == "FAILED" else None
    accepting.on("GET", "/status/r1", run_document(), Retry_After="0", ETag='"1"')
    accepting.on("GET", "/status/r1", raw=b"", status=304, Retry_After="0")
    accepting.on("GET", "/status/r1", run_document(state=state, failure=failure))

    done = cli(*RUN, "--wait", "-o", "json")

    assert done.code == code
    assert json.loads(done.out)["state"] == state
    assert accepting.asked[2].headers["if-none-match"] == '"1"'
    assert accepting.asked[1].headers["prefer"] == "wait=20"


def test_wait_goes_on_through_an_outage_of_the_api(cli: Cli, accepting: Api) -> None:
    accepting.on("GET", "/status/r1", run_document(), Retry_After="0")
    for _ in range(3):
        accepting.on("GET", "/status/r1", {"title": "Away"}, 503, Retry_After="0")
    accepting.on("GET", "/status/r1", run_document(state="COMPLETED"))

    assert cli(*RUN, "--wait").code == 0


def test_wait_that_is_too_short_exits_with_124(cli: Cli, accepting: Api) -> None:
    accepting.on("GET", "/status/r1", run_document(), Retry_After="0")

    done = cli(*RUN, "--wait", "--timeout", "0.3s")

    assert (done.code, done.out) == (124, "")
    assert "still RUNNING" in done.err
    assert "holdfast wf watch r1" in done.err


def test_rerun_names_the_run_the_new_id_and_the_event(cli: Cli, api: Api) -> None:
    api.on("POST", "/runs/r1/rerun", {**accepted_document("r2"), "rerun_of": "r1"}, 202)
    api.on("GET", "/status/r2", run_document("r2", "COMPLETED", rerun_of="r1"))

    done = cli("wf", "rerun", "r1", "--new-id", "r2", "--from-event", "5", "--wait")

    assert done.code == 0
    assert api.asked[0].json == {"instance_id": "r2", "from_event": 5}
    assert "rerun_of     r1\n" in done.out


def test_app_id_of_daprs_tools_is_taken_and_a_foreign_one_is_noted(
    cli: Cli, accepting: Api
) -> None:
    assert cli(*RUN, "--app-id", "orchestrator").err == ""
    assert "--app-id other is ignored" in cli(*RUN, "--app-id", "other").err
    assert len(accepting.asked) == 2
