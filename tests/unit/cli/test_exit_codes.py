"""What a command says and exits with when something is wrong: words, never a traceback."""

from __future__ import annotations

import json
import socket

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import Api, run_document


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 7),
        (401, 6),
        (403, 6),
        (404, 4),
        (409, 5),
        (410, 4),
        (413, 7),
        (415, 7),
        (422, 7),
        (500, 1),
        (418, 1),
    ],
)
def test_refusal_is_told_by_title_and_detail_and_by_its_exit_status(
    cli: Cli, api: Api, status: int, code: int
) -> None:
    api.problem("POST", "/runs/r1/terminate", status, "That is wrong", detail="Because of this.")

    done = cli("wf", "terminate", "r1")

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("holdfast: That is wrong\n  Because of this.")


def test_every_fault_of_an_input_is_told_with_its_place(cli: Cli, api: Api) -> None:
    faults = [
        {"pointer": "/amount", "detail": "must not be negative"},
        {"line": 7, "detail": "XXX is no airport"},
    ]
    api.problem("POST", "/workflows/w", 422, "Invalid input", detail="2 faults", errors=faults)

    done = cli("wf", "run", "w", "--input", "{}")

    assert done.code == 7
    assert "  - pointer /amount: must not be negative\n" in done.err
    assert "  - line 7: XXX is no airport\n" in done.err


def test_missing_token_is_told_with_the_way_to_give_one(cli: Cli, api: Api) -> None:
    api.problem("GET", "/runs", 401, "Unauthorized")

    assert "HOLDFAST_TOKEN" in cli("wf", "list").err


def test_server_that_is_away_is_exit_status_3(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    done = cli("wf", "get", "r1", HOLDFAST_API=f"http://127.0.0.1:{port}")

    assert (done.code, done.out) == (3, "")
    assert f"Cannot reach http://127.0.0.1:{port}" in done.err


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<html>welcome</html>", "text/html"),
        (b"[1, 2]", "application/json"),
        (b"", "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_server_that_is_no_holdfast_api_is_said_to_be_none(
    cli: Cli, api: Api, body: bytes, media_type: str
) -> None:
    api.on("GET", "/status/r1", raw=body, Content_Type=media_type)

    done = cli("wf", "get", "r1")

    assert (done.code, done.out) == (1, "")
    assert "Is http://127.0.0.1" in done.err


def test_error_page_of_a_proxy_is_told_by_its_status(cli: Cli, api: Api) -> None:
    api.on("GET", "/status/r1", raw=b"<html>", status=403, Content_Type="text/html")

    done = cli("wf", "get", "r1")

    assert done.code == 6
    assert done.err.startswith("holdfast: 403 ")


def test_redirect_is_not_followed_with_the_token(cli: Cli, api: Api) -> None:
    api.on("GET", "/status/r1", status=302, raw=b"", Location="/elsewhere")

    done = cli("wf", "get", "r1", HOLDFAST_TOKEN="secret")

    assert done.code == 1
    assert [asked.path for asked in api.asked] == ["/status/r1"]


@pytest.mark.parametrize(
    "command",
    [
        ("wf", "list"),
        ("wf", "history", "r1"),
        ("wf", "timeline", "r1"),
        ("wf", "why", "r1"),
        ("wf", "events", "r1"),
        ("wf", "catalogue"),
        ("audit",),
        ("webhook", "list"),
    ],
)
def test_answer_of_another_shape_is_an_error_in_words(
    cli: Cli, api: Api, command: tuple[str, ...]
) -> None:
    for path in ("/runs", "/workflows", "/audit", "/webhooks"):
        api.on("GET", path, {})
    for path in ("history", "timeline", "why", "events"):
        api.on("GET", f"/runs/r1/{path}", {})

    done = cli(*command)

    assert done.code == 1
    assert done.err.startswith("holdfast: The command failed\n")


@pytest.mark.parametrize(
    "command",
    [
        ("wf", "get"),
        ("wf", "get", "a", "--instance-id", "b"),
        ("wf", "raise-event", "a"),
        ("wf", "suspend"),
        ("wf", "suspend", "a", "--all"),
        ("wf", "suspend", "a", "--workflow", "task_chain"),
        ("wf", "purge", "a", "--yes", "token"),
        ("wf", "list", "--state", "BROKEN"),
        ("wf", "list", "--since", "yesterday"),
        ("wf", "list", "--since", "2026-01-01T00:00:00"),
        ("wf", "list", "--limit", "0"),
        ("wf", "list", "-o", "xml"),
        ("wf", "run", "w", "--timeout", "5s"),
        ("wf", "run", "w", "--wait", "--timeout", "soon"),
        ("wf", "run", "w", "--start-at", "9" * 9 + "d"),
        ("wf", "dance"),
        ("--role", "king", "wf", "list"),
        ("--api", "ftp://x", "wf", "list"),
        ("--api", "http://user:secret@x", "wf", "list"),
        ("--api", "http://[", "wf", "list"),
        ("--api", "http://x:99999", "wf", "list"),
        ("--api", "http://x", "--stack", "default", "wf", "list"),
    ],
)
def test_wrong_usage_is_exit_status_2_and_asks_the_server_nothing(
    cli: Cli, api: Api, command: tuple[str, ...]
) -> None:
    done = cli(*command)

    assert (done.code, done.out) == (2, "")
    assert done.err
    assert api.asked == []


def test_token_that_fits_no_header_is_refused_and_not_shown(cli: Cli, api: Api) -> None:
    done = cli("wf", "list", HOLDFAST_TOKEN="secret\r\nX-Other: 1")

    assert done.code == 2
    assert "secret" not in done.err
    assert api.asked == []


def test_whatever_is_in_a_name_stays_in_its_segment_of_the_path(cli: Cli, api: Api) -> None:
    for name in ("../runs", "a/b?c=d#e", "..", "ä b"):
        assert cli("wf", "get", name).code == 4

    assert [asked.path for asked in api.asked] == [
        "/status/..%2Fruns",
        "/status/a%2Fb%3Fc%3Dd%23e",
        "/status/%2E%2E",
        "/status/%C3%A4%20b",
    ]


@pytest.mark.parametrize("form", ["json", "yaml", "table"])
def test_failure_writes_nothing_to_stdout_in_any_format(cli: Cli, api: Api, form: str) -> None:
    api.problem("GET", "/status/r1", 404, "No such run")

    done = cli("wf", "get", "r1", "-o", form)

    assert (done.code, done.out) == (4, "")
    assert "No such run" in done.err


def test_read_is_repeated_while_the_server_is_away_for_a_moment(cli: Cli, api: Api) -> None:
    for _ in range(2):
        api.on("GET", "/status/r1", {"title": "Away"}, 503, Retry_After="0")
    api.on("GET", "/status/r1", run_document())

    assert cli("wf", "get", "r1").code == 0
    assert len(api.asked) == 3


def test_read_is_given_up_when_the_server_asks_for_more_patience_than_there_is(
    cli: Cli, api: Api
) -> None:
    api.on("GET", "/status/r1", {"title": "Away", "detail": "Later."}, 503, Retry_After="3600")

    done = cli("wf", "get", "r1")

    assert done.code == 8
    assert "Away" in done.err
    assert len(api.asked) == 1


def test_start_is_repeated_with_one_key_and_the_same_body(cli: Cli, api: Api) -> None:
    api.on("POST", "/workflows/task_chain", {"title": "Away"}, 503, Retry_After="0")
    api.on("POST", "/workflows/task_chain", {"instance_id": "r1"}, 202)

    assert cli("wf", "run", "task_chain", "--input", "1").code == 0

    first, second = api.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body == b"1"


def test_action_that_has_no_key_is_not_repeated(cli: Cli, api: Api) -> None:
    api.on("POST", "/runs/r1/suspend", {"title": "Away"}, 503, Retry_After="0")
    api.on("DELETE", "/runs/r1", {"title": "Away"}, 503, Retry_After="0")

    assert cli("wf", "suspend", "r1").code == 8
    assert cli("wf", "purge", "r1").code == 8
    assert len(api.asked) == 2


def test_request_that_came_too_soon_is_repeated_whatever_it_is(cli: Cli, api: Api) -> None:
    api.on("POST", "/runs/r1/suspend", {"title": "Too many"}, 429, Retry_After="0")
    api.on("POST", "/runs/r1/suspend", {"action": "suspend"}, 202)

    assert cli("wf", "suspend", "r1").code == 0


def test_json_error_is_told_by_the_key_that_debugging_needs(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs", {"runs": [{"instance_id": "r1"}, None]})

    done = cli("wf", "list")

    assert done.code == 1
    assert "HOLDFAST_DEBUG=1" in done.err
    assert json.loads(cli("wf", "list", "-o", "json").out)["runs"][1] is None
