"""The command as a process: signals, closed pipes, completion in a real shell's protocol."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import Api, accepted_document, run_document


@pytest.mark.parametrize("command", [("wf", "run", "w", "--wait"), ("wf", "watch", "r1")])
def test_ctrl_c_ends_the_command_with_130_and_leaves_the_run(
    cli: Cli, api: Api, command: tuple[str, ...]
) -> None:
    api.on("POST", "/workflows/w", accepted_document(), 202)
    api.on("GET", "/status/r1", run_document(), Retry_After="3")
    process = cli.process(*command)
    eventually("the run to be looked at", lambda: api.requests_for("GET", "/status/r1"), seconds=60)

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"the run goes on" in err
    assert b"Traceback" not in err
    assert {asked.method for asked in api.asked} <= {"GET", "POST"}


def test_reader_that_goes_away_is_no_reason_for_a_traceback(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs", {"runs": [run_document()] * 3_000, "next": None})
    process = cli.process("wf", "list")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()

    assert process.stderr is not None
    err = process.stderr.read()
    process.wait(60)

    assert err == b""


def test_output_that_the_terminal_cannot_show_is_written_in_numbers(cli: Cli, api: Api) -> None:
    api.on("GET", "/status/r1", run_document(output="ä→"))

    env = {"PYTHONIOENCODING": "latin-1"}
    out, _ = cli.process("wf", "get", "r1", env=env).communicate(timeout=60)

    assert b"\xe4\\u2192\n" in out


def complete(cli: Cli, *words: str, **env: str) -> list[str]:
    """Return what bash is offered for the last word."""
    asked = {
        "_HOLDFAST_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("holdfast", *words)),
        "COMP_CWORD": str(len(words)),
        **env,
    }
    program = Path(sys.executable).with_name("holdfast")
    done = subprocess.run(
        [str(program)],
        env={**cli.env, "PATH": "/usr/bin:/bin", **asked},
        cwd=cli.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_shell_completes_commands_workflows_runs_events_and_states(cli: Cli, api: Api) -> None:
    flows = [
        {"name": "book_trip", "summary": "s", "events": [{"name": "cancel", "summary": "s"}]},
        {"name": "task_chain", "summary": "s", "events": []},
    ]
    api.on("GET", "/workflows", {"workflows": flows})
    api.on("GET", "/runs", {"runs": [run_document("run-1"), run_document("run-2")], "next": None})
    api.on("GET", "/status/run-1", run_document("run-1"))

    assert complete(cli, "wf", "raise") == ["raise-event"]
    assert complete(cli, "wf", "run", "") == ["book_trip", "task_chain"]
    assert complete(cli, "wf", "run", "ta") == ["task_chain"]
    assert complete(cli, "wf", "get", "run-") == ["run-1", "run-2"]
    assert api.asked[-1].query == {"limit": ["50"], "q": ["run-"]}
    assert complete(cli, "wf", "raise-event", "run-1", "") == ["suspend", "resume"]
    assert complete(cli, "wf", "raise-event", "--event-name", "c") == ["cancel"]
    assert complete(cli, "wf", "list", "--state", "C") == ["COMPLETED", "CANCELLED"]


def test_shell_that_completes_gets_nothing_and_no_noise_from_a_server_that_fails(
    cli: Cli, api: Api
) -> None:
    api.on("GET", "/runs", raw=b"<html>")
    assert complete(cli, "wf", "get", "") == []
    api.answers.clear()
    api.problem("GET", "/runs", 503, "Away", detail="x")
    assert complete(cli, "wf", "get", "") == []
    assert complete(cli, "wf", "get", "", HOLDFAST_API="http://127.0.0.1:1") == []
    assert complete(cli, "wf", "get", "", HOLDFAST_API="nonsense") == []


@pytest.mark.parametrize(
    ("shell", "sign"),
    [("bash", "complete -o"), ("zsh", "#compdef holdfast"), ("fish", "complete ")],
)
def test_completion_is_there_for_each_shell(cli: Cli, shell: str, sign: str) -> None:
    env = {"_HOLDFAST_COMPLETE": f"source_{shell}"}

    out, _ = cli.process(env=env).communicate(timeout=60)

    assert sign in out.decode()


@pytest.mark.parametrize(
    "env",
    [
        {"_HOLDFAST_COMPLETE": "complete_zsh"},
        {"_HOLDFAST_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    ],
    ids=["zsh", "fish"],
)
def test_choice_is_a_word_and_its_description_steers_nothing(
    cli: Cli, api: Api, env: dict[str, str]
) -> None:
    flows = [
        {"name": "task_chain", "summary": "Three\x1b[2J steps."},
        {"name": "task_$(reboot)", "summary": ""},
        {"name": "task_\x1b[2J", "summary": ""},
        {"name": None},
    ]
    api.on("GET", "/workflows", {"workflows": flows})
    asked = {**env, "_TYPER_COMPLETE_ARGS": "holdfast wf run ta"}

    out, err = cli.process(env=asked).communicate(timeout=60)

    assert b"task_chain" in out
    assert b"Three" in out
    assert b"reboot" not in out
    assert b"\x1b" not in out
    assert err == b""


def in_shell(cli: Cli, shell: str, commands: str, **env: str) -> str:
    """Return what commands write in a shell, or in another one that goes by its name."""
    program = shutil.which(shell)
    if program is None:
        program = str(cli.folder / shell)
        Path(program).unlink(missing_ok=True)
        Path(program).symlink_to("/bin/bash")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [program, "-c", f"{commands}\nexit $?"],  # not the last command: it has to be a child
        env={**cli.env, "PATH": path, **env},
        cwd=cli.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "script", "startup"),
    [
        ("bash", ".bash_completions/holdfast.sh", ".bashrc"),
        ("zsh", ".zfunc/_holdfast", ".zshrc"),
        ("fish", ".config/fish/completions/holdfast.fish", None),
    ],
)
def test_completion_is_installed_for_the_shell_that_asks_and_twice_is_once(
    cli: Cli, shell: str, script: str, startup: str | None
) -> None:
    shown = in_shell(cli, shell, "holdfast --show-completion")
    told = in_shell(cli, shell, "holdfast --install-completion")
    in_shell(cli, shell, "holdfast --install-completion")

    assert f"{shell} completion installed in" in told
    assert (cli.folder / script).read_text().strip() == shown.strip()
    assert "_HOLDFAST_COMPLETE=complete_" in shown
    if startup is not None:
        lines = (cli.folder / startup).read_text().split("\n")
        (line,) = [line for line in lines if Path(script).parent.name in line]
        assert line


def test_bash_completes_with_what_was_installed(cli: Cli, api: Api) -> None:
    api.on("GET", "/runs", {"runs": [run_document("run-1")], "next": None})
    in_shell(cli, "bash", "holdfast --install-completion")
    press_tab = """
        source .bashrc
        COMP_WORDS=(holdfast wf get ru); COMP_CWORD=3
        "$(complete -p holdfast | sed 's/.*-F \\([^ ]*\\).*/\\1/')" holdfast ru get
        echo "${COMPREPLY[@]}"
    """

    assert in_shell(cli, "bash", press_tab) == "run-1\n"
