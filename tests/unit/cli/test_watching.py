"""``holdfast wf watch``: pushed or asked for, drawn or written down."""

from __future__ import annotations

import json
import os
import pty
import re
import select
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from holdfast_cli.snapshots import Snapshot
from holdfast_cli.tree import tree
from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import (
    ACCEPTED_AT,
    DONE_AT,
    Api,
    attempt_document,
    effect_document,
    run_document,
)


def pushed(*documents: dict[str, Any]) -> bytes:
    events = (f"event: status\ndata: {json.dumps(document)}\n\n" for document in documents)
    return (": keep-alive\n\n" + "".join(events)).encode()


@pytest.fixture
def run(api: Api) -> Api:
    """A run that stands in its second step, after the first one failed once."""
    failed = attempt_document(
        "step1", finished_at=ACCEPTED_AT, outcome="failed", error="no database"
    )
    again = attempt_document("step1", id=2, finished_at=DONE_AT, outcome="committed", pod="pod-b/9")
    running = attempt_document("step2", id=3, started_at=DONE_AT)
    timeline = {"attempts": [failed], "effects": []}
    api.on("GET", "/runs/r1/timeline", timeline)
    timeline = {"attempts": [failed, again, running], "effects": [effect_document("step1")]}
    api.on("GET", "/runs/r1/timeline", timeline)
    api.on("GET", "/runs/r1/why", {"sentence": "It waits for step2.", "commands": []})
    return api


def test_watch_writes_a_line_for_each_change_and_exits_by_the_state(cli: Cli, run: Api) -> None:
    run.on("GET", "/status/r1", run_document(), Retry_After="0")
    run.on("GET", "/status/r1", run_document(state="COMPLETED", finished_at=DONE_AT))

    done = cli("wf", "watch", "r1")

    assert done.code == 0
    assert done.out.splitlines() == [
        "2026-11-22 18:13:45Z  step1 started on pod-a/7",
        "2026-11-22 18:13:45Z  step1 failed: no database",
        "2026-11-22 18:13:45Z  run RUNNING",
        "2026-11-22 18:13:45Z  step1 started on pod-b/9",
        "2026-11-22 18:13:46Z  step2 started on pod-a/7",
        "2026-11-22 18:13:46Z  step1 done",
        "2026-11-22 18:13:46Z  run COMPLETED: [2, 4, 16]",
    ]


def test_watch_takes_what_is_pushed_and_asks_for_the_status_once(cli: Cli, run: Api) -> None:
    run.on("GET", "/status/r1", run_document())
    failure = {"type": "InvalidValueError", "message": "no"}
    stream = pushed(run_document(), run_document(state="FAILED", failure=failure))
    run.on("GET", "/runs/r1/stream", raw=stream, Content_Type="text/event-stream")

    done = cli("wf", "watch", "r1")

    assert done.code == 1
    assert done.out.splitlines()[-1].endswith("run FAILED: InvalidValueError: no")
    assert len(run.requests_for("GET", "/status/r1")) == 1


def test_watch_asks_when_the_stream_ends_before_the_run(cli: Cli, run: Api) -> None:
    run.on("GET", "/status/r1", run_document(), Retry_After="0")
    run.on("GET", "/status/r1", run_document(state="COMPLETED"))
    run.on("GET", "/runs/r1/stream", raw=pushed(run_document()), Content_Type="text/event-stream")

    assert cli("wf", "watch", "r1").code == 0


@pytest.mark.parametrize("raw", [b"event: status\ndata: {broken\n\n", b"\xff\xfe", b"data: 1"])
def test_watch_asks_when_the_stream_makes_no_sense(cli: Cli, run: Api, raw: bytes) -> None:
    run.on("GET", "/status/r1", run_document(), Retry_After="0")
    run.on("GET", "/status/r1", run_document(state="COMPLETED"))
    run.on("GET", "/runs/r1/stream", raw=raw, Content_Type="text/event-stream")

    done = cli("wf", "watch", "r1")

    assert (done.code, done.err) == (0, "")


def test_watch_says_what_a_run_waits_for_once_it_stands_still(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs/r1/timeline", {"attempts": [], "effects": []})
    api.on("GET", "/runs/r1/why", {"sentence": "It waits for an event.", "commands": []})
    for _ in range(3):
        api.on("GET", "/status/r1", run_document(), Retry_After="0")
    api.on("GET", "/status/r1", run_document(state="TERMINATED"))

    done = cli("wf", "watch", "r1")

    assert done.code == 1
    assert done.out.count("It waits for an event.") == 1


def test_watch_works_with_a_server_that_has_the_status_only(cli: Cli, api: Api) -> None:
    api.on("GET", "/status/r1", run_document(), Retry_After="0")
    api.on("GET", "/status/r1", run_document(state="COMPLETED"))

    done = cli("wf", "watch", "r1")

    assert done.code == 0
    assert [line[22:] for line in done.out.splitlines()] == [
        "run RUNNING",
        "run COMPLETED: [2, 4, 16]",
    ]
    assert len(api.requests_for("GET", "/runs/r1/timeline")) == 1


def test_watch_in_json_is_one_document_to_a_line(cli: Cli, run: Api) -> None:
    run.on("GET", "/status/r1", run_document(), Retry_After="0")
    run.on("GET", "/status/r1", run_document(state="COMPLETED"))

    changes = [json.loads(line) for line in cli("wf", "watch", "r1", "-o", "json").out.splitlines()]

    assert [change["change"] for change in changes] == [
        *("attempt", "outcome", "state", "attempt", "attempt", "effect", "state")
    ]
    assert changes[-1]["status"]["output"] == [2, 4, 16]


def test_watch_of_a_run_that_there_is_none_of_ends_at_once(cli: Cli, api: Api) -> None:
    api.problem("GET", "/status/r1", 404, "No such run")

    done = cli("wf", "watch", "r1")

    assert (done.code, done.out) == (4, "")
    assert len(api.asked) == 1


def test_watch_on_a_terminal_draws_a_tree(cli: Cli, run: Api) -> None:
    run.on("GET", "/status/r1", run_document(), Retry_After="0")
    run.on("GET", "/status/r1", run_document(state="COMPLETED"))
    items = [
        attempt_document(
            "item", key=f"r1|0|item|{number}", index=number, runner="r1:child", id=10 + number
        )
        for number in range(20)
    ]
    committed = [effect_document("item", key="r1|0|item|3", index=3, runner="r1:child")]
    first, second = run.answers["GET", "/runs/r1/timeline"]
    timeline = json.loads(second.body)
    run.answers["GET", "/runs/r1/timeline"] = [first]
    run.on(
        "GET",
        "/runs/r1/timeline",
        {
            "attempts": timeline["attempts"] + items,
            "effects": timeline["effects"] + committed,
        },
    )

    code, screen = on_a_terminal(cli, "wf", "watch", "r1")

    assert code == 0
    assert "\x1b[" in screen
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert "✓ step1" in last
    assert "2 attempts" in last
    assert "▶ step2" in last
    assert "r1:child" in last
    assert "item × 20  ✓ 1 done  ▶ 19 running" in last  # noqa: RUF001
    assert "output: [2, 4, 16]" in last


def test_tree_fits_the_screen_and_says_what_it_left_out() -> None:
    attempts = [
        attempt_document(f"step{number}", key=f"r1|0|step{number}|0", id=number)
        for number in range(50)
    ]
    console = Console(width=100, file=StringIO(), color_system=None)

    console.print(tree(Snapshot(run_document(), attempts), height=10))

    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert len(drawn.splitlines()) <= 11
    assert "step0" in drawn
    assert "step49" in drawn
    assert "… 42 more" in drawn


def on_a_terminal(cli: Cli, *arguments: str) -> tuple[int, str]:
    """Run the command with a terminal as its output; return its exit status and what it drew."""
    ours, theirs = pty.openpty()
    env = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = cli.process(*arguments, stdout=theirs, env=env)
    os.close(theirs)
    drawn = b""
    try:
        while select.select([ours], [], [], 60)[0]:
            try:
                read = os.read(ours, 65536)
            except OSError:  # the other end is closed: on Linux an error, not an end of file
                break
            if not read:
                break
            drawn += read
    finally:
        os.close(ours)
        process.communicate(timeout=60)
    return process.returncode, drawn.decode()
