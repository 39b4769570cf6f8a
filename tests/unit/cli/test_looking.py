"""``get``, ``list``, ``history``, ``timeline``, ``why``, ``events``, ``catalogue``."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import ACCEPTED_AT, Api, attempt_document, run_document


@pytest.mark.parametrize(
    "arguments",
    [
        ("r1",),
        ("--instance-id", "r1"),
        ("r1", "--instance-id", "r1", "--app-id", "orchestrator"),
    ],
)
def test_get_shows_a_run(cli: Cli, api: Api, arguments: tuple[str, ...]) -> None:
    api.on("GET", "/status/r1", run_document(state="COMPLETED"))

    done = cli("wf", "get", *arguments)

    assert (done.code, done.err) == (0, "")
    assert "state        COMPLETED\n" in done.out
    assert "output       [2, 4, 16]\n" in done.out
    assert "accepted_at  2026-11-22 18:13:45Z\n" in done.out
    assert "failure" not in done.out


def test_get_is_fine_with_a_run_that_failed(cli: Cli, api: Api) -> None:
    failure = {"type": "InvalidValueError", "message": "-1 is negative"}
    api.on("GET", "/status/r1", run_document(state="FAILED", failure=failure))

    done = cli("workflow", "get", "r1")

    assert done.code == 0
    assert "failure      InvalidValueError: -1 is negative\n" in done.out


def test_json_and_yaml_hold_the_whole_answer(cli: Cli, api: Api) -> None:
    document = run_document(output={"text": "ä\u2028\ud800", "huge": 2**80, "e": 1e-7})
    api.on("GET", "/status/r1", document)

    assert json.loads(cli("wf", "get", "r1", "-o", "json").out) == document
    assert yaml.safe_load(cli("wf", "get", "r1", "-o", "yaml").out)["instance_id"] == "r1"


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_nothing_that_a_run_says_steers_the_readers_terminal(cli: Cli, api: Api, form: str) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202egnp.exe"
    failure = {"type": evil, "message": evil}
    document = run_document(workflow=evil, output={evil: evil}, failure=failure)
    api.on("GET", "/status/r1", {**document, "state": "FAILED"})
    api.problem("GET", "/status/r2", 404, evil, detail=evil, errors=[{"detail": evil}])
    api.on("GET", "/runs", {"runs": [document], "next": evil})

    said = cli("wf", "get", "r1", "-o", form).out
    said += cli("wf", "list", "-o", form).out + cli("wf", "get", "r2").err

    assert not set(said) & set("\x1b\x07\x9b\r\u202e")


def test_markup_of_the_drawing_library_is_only_text(cli: Cli, api: Api) -> None:
    api.on("GET", "/status/r1", run_document(custom_status="[red]x[/red] :smile: [/]"))

    assert "[red]x[/red] :smile: [/]\n" in cli("wf", "get", "r1").out


def test_table_in_a_pipe_is_whole_and_plain(cli: Cli, api: Api) -> None:
    api.on("GET", "/status/r1", run_document(output="x" * 5000))

    out = cli("wf", "get", "r1").out

    assert f"output       {'x' * 5000}\n" in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_list_passes_every_filter_on(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs", {"runs": [run_document()], "next": "abc"})

    done = cli(
        *("wf", "list", "--workflow", "task_chain", "--state", "running", "--state", "FAILED"),
        *("--since", "2026-01-01T00:00:00Z", "-q", "r", "--limit", "7", "--cursor", "xyz"),
    )

    assert done.code == 0
    assert api.only.query == {
        "workflow": ["task_chain"],
        "state": ["RUNNING", "FAILED"],
        "since": ["2026-01-01T00:00:00.000Z"],
        "q": ["r"],
        "limit": ["7"],
        "cursor": ["xyz"],
    }
    assert done.out.splitlines()[0].split() == [
        *("INSTANCE", "ID", "WORKFLOW", "STATE", "ACCEPTED", "FINISHED", "BY")
    ]
    assert "more: --cursor abc\n" in done.out


def test_list_of_all_follows_every_page(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs", {"runs": [run_document("a")], "next": "2"})
    api.on("GET", "/runs", {"runs": [run_document("b")], "next": None})

    document = json.loads(cli("wf", "list", "--all", "-o", "json").out)

    assert [run["instance_id"] for run in document["runs"]] == ["a", "b"]
    assert document["next"] is None
    assert api.asked[1].query["cursor"] == ["2"]


def test_list_of_nothing_says_so(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs", {"runs": [], "next": None})

    assert cli("wf", "list").out == "No runs.\n"


def test_history_shows_each_event_with_what_matters_of_it(cli: Cli, api: Api) -> None:
    of_engine = {"timestamp": ACCEPTED_AT, "name": "step1", "failure": None}
    events = [
        {**of_engine, "event_id": 0, "type": "TASK_SCHEDULED", "input": {"value": 1}},
        {**of_engine, "event_id": 1, "type": "TASK_COMPLETED", "result": {"value": 2}},
        {**of_engine, "event_id": 2, "type": "TIMER_CREATED", "fire_at": "2026-11-22T19:00:00Z"},
        {
            **of_engine,
            "event_id": 3,
            "type": "TASK_FAILED",
            "failure": {"type": "SoldOutError", "message": "no cars"},
        },
    ]
    api.on("GET", "/runs/r1/history", {"instance_id": "r1", "events": events})

    lines = cli("wf", "history", "r1").out.splitlines()

    assert lines[1].split()[:5] == ["0", "2026-11-22", "18:13:45Z", "TASK_SCHEDULED", "step1"]
    assert lines[1].endswith('{"value": 1}')
    assert lines[3].endswith("at 2026-11-22T19:00:00Z")
    assert lines[4].endswith("SoldOutError: no cars")


def test_timeline_shows_where_each_attempt_ran_and_what_came_of_it(cli: Cli, api: Api) -> None:
    attempts = [
        attempt_document("step1", finished_at="2026-11-22T18:13:45.498234Z", outcome="committed"),
        attempt_document(
            "step2", outcome="failed", error_type="UnavailableError", error="no database"
        ),
        attempt_document("step3", index=4, epoch=2),
    ]
    document = {"instance_id": "r1", "attempts": attempts, "effects": [], "pods": ["pod-a/7"]}
    api.on("GET", "/runs/r1/timeline", document)

    _, first, second, third = cli("wf", "timeline", "r1").out.splitlines()

    assert "200 ms" in first
    assert second.endswith("UnavailableError: no database")
    assert "step3 #4 (epoch 2)" in third
    assert "none yet" in third


def test_why_says_the_sentence_and_the_command_that_frees_the_run(cli: Cli, api: Api) -> None:
    command = "holdfast wf raise-event r1 human_approval --event-data '{\"approved\": true}'"
    document = {
        "instance_id": "r1",
        "state": "RUNNING",
        "sentence": "It waits for the event human_approval until 2026-11-29.",
        "waits_for": [{"kind": "event", "name": "human_approval"}],
        "commands": [command],
    }
    api.on("GET", "/runs/r1/why", document)

    assert cli("wf", "why", "r1").out == f"{document['sentence']}\n  {command}\n"


def test_events_shows_how_far_each_came(cli: Cli, api: Api) -> None:
    event = {
        "event_id": "e1",
        "name": "cancel",
        "state": "consumed",
        "accepted_at": ACCEPTED_AT,
        "delivered_at": ACCEPTED_AT,
        "consumed_at": ACCEPTED_AT,
    }
    api.on("GET", "/runs/r1/events", {"events": [event]})

    assert "e1        cancel  consumed" in cli("wf", "events", "r1").out


def test_catalogue_lists_workflows_with_their_events(cli: Cli, api: Api) -> None:
    flow = {"name": "book_trip", "summary": "Book.", "events": [{"name": "cancel"}]}
    api.on("GET", "/workflows", {"workflows": [flow]})

    assert "book_trip  cancel  Book." in cli("wf", "catalogue").out


def test_whoami_says_which_server_and_as_whom(cli: Cli, api: Api) -> None:
    api.on("GET", "/whoami", {"subject": "ada", "role": "operator"})

    out = cli("whoami", HOLDFAST_TOKEN="t0").out

    assert api.only.headers["authorization"] == "Bearer t0"
    assert "subject  ada\n" in out
    assert api.url in out
