"""Which server a command talks to, and which token goes there."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import Api, running_api

Write = Callable[[str, str], Path]


@pytest.fixture
def listed(api: Api) -> Api:
    api.on("GET", "/runs", {"runs": [], "next": None})
    return api


@pytest.fixture
def config(nowhere: Cli) -> Path:
    return nowhere.folder / "config" / "holdfast" / "config.yaml"


def put_stack(write: Write, api: Api, name: str, tokens: dict[str, str] | None = None) -> None:
    app_ids = {"orchestrator": f"orchestrator-{name}"}
    descriptor = {"name": name, "api_url": api.url, "app_ids": app_ids}
    write(f".run/{name}/stack.json", json.dumps(descriptor))
    if tokens is not None:
        write(f".run/{name}/tokens.json", json.dumps(tokens))


def token_of(api: Api) -> str | None:
    return api.asked[-1].headers.get("authorization")


def test_without_any_server_the_command_says_how_to_get_one(nowhere: Cli) -> None:
    done = nowhere("wf", "list")

    assert done.code == 2
    assert "make up" in done.err
    assert "holdfast context add" in done.err


def test_local_stack_is_found_from_a_folder_below_with_the_admins_token(
    nowhere: Cli, listed: Api, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_stack(write, listed, "mine", {"admin": "a1", "viewer": "v1"})
    below = nowhere.folder / "some" / "where"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert nowhere("wf", "list").code == 0
    assert token_of(listed) == "Bearer a1"
    assert nowhere("--role", "viewer", "wf", "list").code == 0
    assert token_of(listed) == "Bearer v1"


def test_stack_of_the_usual_name_comes_first_and_others_by_name(
    nowhere: Cli, listed: Api, write: Write
) -> None:
    put_stack(write, listed, "one", {"admin": "t-one"})
    put_stack(write, listed, "two", {"admin": "t-two"})

    several = nowhere("wf", "list")
    assert (several.code, listed.asked) == (2, [])
    assert "one, two" in several.err

    assert nowhere("--stack", "two", "wf", "list").code == 0
    assert token_of(listed) == "Bearer t-two"

    put_stack(write, listed, "default", {"admin": "t-default"})
    assert nowhere("wf", "list").code == 0
    assert token_of(listed) == "Bearer t-default"
    assert nowhere("--stack", "three", "wf", "list").code == 2


def test_stack_that_leads_elsewhere_is_not_followed(nowhere: Cli, write: Write) -> None:
    write(".run/evil/stack.json", json.dumps({"api_url": "https://elsewhere.example"}))

    done = nowhere("wf", "list", HOLDFAST_TOKEN="secret")

    assert done.code == 2
    assert "names a server elsewhere" in done.err


def test_token_of_the_environment_does_not_go_to_a_stack_that_was_merely_found(
    nowhere: Cli, listed: Api, write: Write
) -> None:
    put_stack(write, listed, "default")

    assert nowhere("wf", "list", HOLDFAST_TOKEN="secret").code == 0
    assert token_of(listed) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"api_url": 7}'])
def test_damaged_descriptor_is_named(nowhere: Cli, write: Write, text: str) -> None:
    write(".run/default/stack.json", text)

    done = nowhere("wf", "list")

    assert done.code == 2
    assert done.err


def test_app_id_of_a_local_stack_is_checked(nowhere: Cli, api: Api, write: Write) -> None:
    put_stack(write, api, "default")
    api.on("GET", "/status/r1", {"instance_id": "r1", "state": "RUNNING"})

    assert nowhere("wf", "get", "r1", "--app-id", "orchestrator-default").code == 0
    wrong = nowhere("wf", "get", "r1", "--app-id", "somebody-else")
    assert wrong.code == 2
    assert "orchestrator-default" in wrong.err


def test_refusal_of_a_local_stack_reminds_of_its_other_roles(
    nowhere: Cli, api: Api, write: Write
) -> None:
    put_stack(write, api, "default", {"viewer": "v", "admin": "a"})
    api.problem("POST", "/runs/r1/suspend", 403, "Not allowed")

    done = nowhere("--role", "viewer", "wf", "suspend", "r1")

    assert done.code == 6
    assert "holdfast --role" in done.err


def test_context_is_kept_where_only_its_owner_can_read_it(
    nowhere: Cli, listed: Api, config: Path
) -> None:
    added = nowhere("context", "add", "prod", f"{listed.url}/", "--token-stdin", stdin="t1\n")

    assert added.code == 0
    assert "t1" not in added.out + added.err
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert [file.name for file in config.parent.iterdir()] == ["config.yaml"]
    assert nowhere("wf", "list").code == 0
    assert token_of(listed) == "Bearer t1"


def test_contexts_are_used_listed_shown_and_removed(nowhere: Cli, listed: Api) -> None:
    nowhere("context", "add", "a", "https://a.example", "--token-stdin", stdin="secret-a")
    nowhere("context", "add", "b", listed.url, "--no-token")

    assert nowhere("context", "use", "b").code == 0
    lines = nowhere("context", "list").out.splitlines()
    assert lines[1].split() == ["a", "https://a.example", "kept"]
    assert lines[2].split() == ["*", "b", listed.url]
    shown = nowhere("context", "show", "a")
    assert "https://a.example" in shown.out
    assert "secret-a" not in shown.out
    assert "secret-a" in nowhere("context", "show", "a", "--show-token").out
    assert nowhere("wf", "list", HOLDFAST_TOKEN="from-env").code == 0
    assert token_of(listed) == "Bearer from-env"
    assert nowhere("context", "remove", "b").code == 0
    assert nowhere("context", "remove", "b").code == 2
    assert nowhere("wf", "list").code == 2


def test_what_is_said_on_the_command_line_beats_the_environment_and_that_the_contexts(
    nowhere: Cli, listed: Api
) -> None:
    with running_api() as other:
        other.on("GET", "/runs", {"runs": [], "next": None})
        nowhere("context", "add", "kept", other.url, "--token-stdin", stdin="t-kept")

        nowhere("wf", "list", HOLDFAST_API=listed.url)
        assert (len(listed.asked), len(other.asked)) == (1, 0)
        nowhere("--context", "kept", "wf", "list", HOLDFAST_API=listed.url)
        assert (len(listed.asked), len(other.asked)) == (1, 1)
        nowhere("wf", "list", HOLDFAST_CONTEXT="kept")
        nowhere("wf", "list")
        assert (len(listed.asked), len(other.asked)) == (1, 3)
        nowhere("--api", listed.url, "wf", "list")
        assert (len(listed.asked), len(other.asked)) == (2, 3)
        # The context's own token, not that of another server.
        nowhere("wf", "list", HOLDFAST_TOKEN="t-env")
        assert token_of(other) == "Bearer t-kept"


def test_role_is_refused_where_there_is_no_choice_of_tokens(nowhere: Cli, listed: Api) -> None:
    done = nowhere("--role", "viewer", "--api", listed.url, "wf", "list")

    assert (done.code, listed.asked) == (2, [])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("a b", "https://x"), 2),
        (("../x", "https://x"), 2),
        (("x", "x.example"), 2),
        (("x", "https://x?y=z"), 2),
        (("x", "https://x", "--ca-file", "nowhere.pem"), 0),
        (("x", "https://x", "--token-stdin", "--no-token"), 2),
    ],
)
def test_context_that_makes_no_sense_is_refused(
    nowhere: Cli, config: Path, arguments: tuple[str, ...], code: int
) -> None:
    assert nowhere("context", "add", *arguments).code == code
    assert config.exists() is (code == 0)


def test_context_is_replaced_only_by_force(nowhere: Cli) -> None:
    assert nowhere("context", "add", "x", "https://x").code == 0
    assert nowhere("context", "add", "x", "https://y").code == 5
    assert nowhere("context", "add", "x", "https://y", "--force").code == 0
    assert "https://y" in nowhere("context", "list").out


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ä"])
def test_token_that_no_header_takes_is_refused_when_it_is_kept(nowhere: Cli, token: str) -> None:
    done = nowhere("context", "add", "x", "https://x", "--token-stdin", stdin=token)

    assert done.code == 7
    assert token not in done.err


def test_token_that_would_go_in_the_clear_is_remarked(nowhere: Cli) -> None:
    done = nowhere("context", "add", "x", "http://x.example", "--token-stdin", stdin="t")

    assert "in the clear" in done.err


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "contexts: 7",
        "contexts: {x: 7}",
        "contexts: {x: {api: 7}}",
        "contexts: {x: {api: 'https://x', password: y}}",
        "contexts: {'a b': {api: 'https://x'}}",
        "!!python/object/apply:os.system [exit]",
        "current: nowhere",
        "\0",
    ],
)
def test_damaged_file_of_contexts_is_named_and_left_as_it_is(
    nowhere: Cli, write: Write, config: Path, text: str
) -> None:
    write(str(config), text)
    config.chmod(0o600)

    done = nowhere("wf", "list")

    assert done.code == 2
    assert "holdfast: " in done.err
    assert config.read_text() == text


def test_file_of_contexts_that_others_can_read_is_remarked(
    nowhere: Cli, listed: Api, write: Write, config: Path
) -> None:
    document = {"current": "x", "contexts": {"x": {"api": listed.url, "token": "t"}}}
    write(str(config), yaml.safe_dump(document))
    config.chmod(0o644)

    done = nowhere("wf", "list")

    assert done.code == 0
    assert f"chmod 600 {config}" in done.err


def test_certificates_of_a_context_must_be_some(nowhere: Cli, write: Write) -> None:
    write("ca.pem", "no certificate")
    nowhere("context", "add", "x", "https://x.invalid", "--ca-file", "ca.pem", "--no-token")

    done = nowhere("wf", "list")

    assert done.code == 2
    assert "ca.pem is no file of certificates" in done.err


def test_console_is_at_the_servers_address(nowhere: Cli) -> None:
    done = nowhere("console", "--no-open", HOLDFAST_API="https://h.example/base/")

    assert done.out == "console  https://h.example/base/console/login\n"


def test_consoles_address_carries_a_code_and_never_the_token(cli: Cli, api: Api) -> None:
    granted = {"code": "c&1", "url": "http://elsewhere.example/?code=c", "expires_in": 60}
    api.on("POST", "/console/code", granted, 201)

    done = cli("console", HOLDFAST_TOKEN="t0")

    assert api.only.headers["authorization"] == "Bearer t0"
    assert f"console     {api.url}/console/login?code=c%261\n" in done.out
    assert "t0" not in done.out
