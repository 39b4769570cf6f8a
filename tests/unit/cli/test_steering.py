"""Events, suspend, resume, cancel, terminate, purge; batches and webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import ACCEPTED_AT, Api

RECEIPT = {"event_id": "e1", "name": "human_approval", "state": "pending", "links": {}}
DATA = '{"approved": true, "by": "ada"}'


@pytest.mark.parametrize(
    "arguments",
    [
        ("r1", "human_approval", "--event-data", DATA),
        ("--instance-id", "r1", "--event-name", "human_approval", "--event-data", DATA),
        ("--instance-id", "r1", "human_approval", "--input", DATA, "--app-id", "orchestrator"),
        ("r1", "--event-name", "human_approval", "--event-data", "-"),
    ],
)
def test_raise_event_takes_arguments_and_the_flags_of_daprs_tools(
    cli: Cli, api: Api, arguments: tuple[str, ...]
) -> None:
    api.on("POST", "/runs/r1/events/human_approval", RECEIPT, 202)

    done = cli("wf", "raise-event", *arguments, stdin=DATA)

    assert (done.code, done.err) == (0, "")
    assert api.only.json == json.loads(DATA)
    assert api.only.headers["idempotency-key"]
    assert "state     pending\n" in done.out


def test_event_without_data_carries_an_empty_object(cli: Cli, api: Api) -> None:
    api.on("POST", "/runs/r1/events/cancel", RECEIPT, 202)

    assert cli("wf", "raise-event", "r1", "cancel").code == 0
    assert api.only.json == {}


@pytest.mark.parametrize("action", ["suspend", "resume", "cancel", "terminate"])
def test_action_goes_to_its_route_with_its_reason(cli: Cli, api: Api, action: str) -> None:
    api.on("POST", f"/runs/r1/{action}", {"action": action, "event_id": "e1"}, 202)

    assert cli("wf", action, "r1", "--reason", "stock-taking").code == 0
    assert cli("wf", action, "r1").code == 0
    assert [asked.json for asked in api.asked] == [{"reason": "stock-taking"}, {}]


def test_purge_deletes_the_run(cli: Cli, api: Api) -> None:
    api.on("DELETE", "/runs/r1", raw=b"", status=204)

    done = cli("wf", "purge", "r1", "-o", "json")

    assert json.loads(done.out) == {"instance_id": "r1", "purged": True}


@pytest.mark.parametrize("action", ["suspend", "resume", "cancel", "terminate", "rerun", "purge"])
def test_bulk_action_counts_first_and_says_how_to_do_it(cli: Cli, api: Api, action: str) -> None:
    count = {"action": action, "count": 12, "token": "tok en", "expires_at": ACCEPTED_AT}
    api.on("POST", f"/bulk/{action}", count)
    filters = ("--workflow", "task_chain", "--state", "RUNNING", "-q", "a")

    done = cli("wf", action, "--all", *filters)

    assert done.code == 0
    assert api.only.query == {"workflow": ["task_chain"], "state": ["RUNNING"], "q": ["a"]}
    assert "token" not in api.only.json
    assert done.out.splitlines()[0].startswith("12 runs. Nothing has been done.")
    again = f"holdfast wf {action} --all --workflow task_chain --state RUNNING --query a"
    assert f"  {again} --yes 'tok en'\n" in done.out


def test_bulk_action_with_the_token_is_done(cli: Cli, api: Api) -> None:
    result = {"action": "suspend", "count": 2, "accepted": 2, "refused": []}
    api.on("POST", "/bulk/suspend", result, 202)

    done = cli("wf", "suspend", "--all", "--yes", "t1")

    assert done.code == 0
    assert api.only.json == {"token": "t1"}
    assert done.out == "suspend: accepted for 2 of 2 runs\n"


def test_bulk_rerun_with_the_token_is_done(cli: Cli, api: Api) -> None:
    refused = [{"instance_id": "r2", "reason": "The run was purged"}]
    result = {"action": "rerun", "count": 3, "accepted": 2, "refused": refused}
    api.on("POST", "/bulk/rerun", result, 202)

    done = cli("wf", "rerun", "--all", "--state", "failed", "--yes", "t1")

    assert done.code == 5
    assert (api.only.json, api.only.query) == ({"token": "t1"}, {"state": ["FAILED"]})
    assert done.out.startswith("rerun: accepted for 2 of 3 runs\n")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("r1", "--all"),
        ("r1", "--state", "FAILED"),
        ("r1", "--yes", "t1"),
        ("--all", "--new-id", "r2"),
        ("--all", "--from-event", "5"),
        ("--all", "--idempotency-key", "k"),
        ("--all", "--wait"),
    ],
)
def test_rerun_is_of_one_run_or_of_all_that_match(
    cli: Cli, api: Api, arguments: tuple[str, ...]
) -> None:
    assert cli("wf", "rerun", *arguments).code == 2
    assert api.asked == []


def test_reason_of_a_bulk_action_is_in_the_command_that_does_it(cli: Cli, api: Api) -> None:
    count = {"action": "cancel", "count": 2, "token": "t1", "expires_at": ACCEPTED_AT}
    api.on("POST", "/bulk/cancel", count)

    done = cli("wf", "cancel", "--all", "--reason", "no snow")

    assert done.out.endswith("  holdfast wf cancel --all --reason 'no snow' --yes t1\n")
    cli("wf", "cancel", "--all", "--reason", "no snow", "--yes", "t1")
    assert api.asked[-1].json == {"reason": "no snow", "token": "t1"}


def test_bulk_action_that_was_refused_for_a_run_exits_with_5(cli: Cli, api: Api) -> None:
    refused = [{"instance_id": "r2", "reason": "The run has finished"}]
    result = {"action": "cancel", "count": 2, "accepted": 1, "refused": refused}
    api.on("POST", "/bulk/cancel", result, 202)

    done = cli("wf", "cancel", "--all", "--yes", "t1")

    assert done.code == 5
    assert "refused: r2: The run has finished\n" in done.out


def test_relative_times_of_a_bulk_action_stay_what_they_were_when_it_is_done(
    cli: Cli, api: Api
) -> None:
    count = {"action": "purge", "count": 1, "token": "t1", "expires_at": ACCEPTED_AT}
    api.on("POST", "/bulk/purge", count)

    done = cli("wf", "purge", "--all", "--until", "30d")

    (until,) = api.only.query["until"]
    assert f"--until {until} --yes t1" in done.out


def test_batch_is_sent_byte_by_byte(cli: Cli, api: Api, write: Callable[[str, str], Path]) -> None:
    api.on("POST", "/batches", {"batch_id": "b1", "legs": 1}, 201)
    write("legs.csv", "origin,destination\r\nJFK,LHR\r\n")

    done = cli("batch", "load", "legs.csv", "--batch-id", "b1")
    piped = cli("batch", "load", "-", stdin="origin,destination\nJFK,LHR\n")

    assert (done.code, piped.code) == (0, 0)
    assert "legs      1\n" in done.out
    assert api.asked[0].body == b"origin,destination\r\nJFK,LHR\r\n"
    assert api.asked[0].headers["content-type"] == "text/csv"
    assert api.asked[0].query == {"batch_id": ["b1"]}


def test_batch_that_cannot_be_read_sends_nothing(cli: Cli, api: Api) -> None:
    for name in ("nowhere.csv", "."):
        done = cli("batch", "load", name)
        assert done.code == 7
        assert name in done.err
    assert api.asked == []


def test_webhooks_are_added_listed_removed_and_their_letters_sent_again(cli: Cli, api: Api) -> None:
    hook = {
        "webhook_id": "w1",
        "url": "https://x.example/",
        "types": ["dev.holdfast.run.failed"],
        "dead": 1,
    }
    api.on("POST", "/webhooks", {**hook, "secret": "s3"}, 201)
    api.on("GET", "/webhooks", {"webhooks": [hook]})
    letter = {
        "event_id": "e1",
        "type": "dev.holdfast.run.failed",
        "attempts": 9,
        "last_error": "500",
    }
    api.on("GET", "/webhooks/w1/dead-letters", {"dead_letters": [letter]})
    api.on("POST", "/webhooks/w1/dead-letters/redeliver", {"redelivering": 1}, 202)
    api.on("DELETE", "/webhooks/w1", raw=b"", status=204)

    added = cli(
        "webhook", "add", "https://x.example/", "--type", "failed", "--secret-stdin", stdin="s3\n"
    )

    assert "s3" in added.out
    assert api.only.json == {
        "url": "https://x.example/",
        "types": ["dev.holdfast.run.failed"],
        "secret": "s3",
    }
    assert "w1  https://x.example/  failed" in cli("webhook", "list").out
    assert "e1        failed" in cli("webhook", "dead-letters", "w1").out
    assert "redelivering  1\n" in cli("webhook", "redeliver", "w1").out
    assert cli("webhook", "remove", "w1").code == 0


def test_audit_shows_who_did_what(cli: Cli, api: Api) -> None:
    entry = {
        "at": ACCEPTED_AT,
        "subject": "ada",
        "role": "operator",
        "action": "terminate",
        "target": "r1",
        "status": 202,
        "address": "127.0.0.1",
    }
    api.on("GET", "/audit", {"entries": [entry], "next": None})

    line = cli("audit").out.splitlines()[1]

    assert line.split()[2:] == ["ada", "operator", "terminate", "r1", "202", "127.0.0.1"]
