"""Dapr's binaries: an installed one of the pinned version is used; what is nowhere is built."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from rich.console import Console

from holdfast_local.build_view import BuildView
from holdfast_local.go_build import read_pin
from holdfast_local.toolchain import Toolchain, find_installed, is_pinned_version
from holdfast_local.toolchain_errors import ToolchainError
from holdfast_local.toolchain_sources import MODULE
from tests.support.clone import ROOT
from tests.unit.local.executables import go_program, script

VERSION = read_pin(ROOT).version
#: A Go that lists two packages, and "compiles" into the file that it is told.
GO = """
case "$1" in
  version) echo go version go1.99.0 linux/amd64 ;;
  list) echo go: downloading a.invalid v1.0.0 >&2; echo one; echo two ;;
  build) echo one >&2; echo two >&2
         while [ "$1" != -o ]; do shift; done
         printf '#!/bin/sh\\n' > "$2"; chmod 755 "$2" ;;
esac
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be on a machine with nothing installed but what a test puts into the returned folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOLDFAST_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    return Toolchain(ROOT, tmp_path / "cache")


def view() -> BuildView:
    return BuildView(Console(quiet=True))


def test_daprd_that_answers_with_the_pinned_version_is_used(machine: Path) -> None:
    daprd = script(machine / "daprd", f"test $1 = --version && echo {VERSION}")

    assert is_pinned_version(daprd, "daprd", VERSION)


@pytest.mark.parametrize("answer", [f"{VERSION}-rc.1", f"{VERSION}1", "1.17.0", "", "edge"])
def test_daprd_that_answers_with_another_version_is_left_alone(machine: Path, answer: str) -> None:
    daprd = script(machine / "daprd", f"echo '{answer}'")

    assert not is_pinned_version(daprd, "daprd", VERSION)


def test_daprd_that_cannot_run_is_left_alone(machine: Path) -> None:
    failing = script(machine / "daprd", f"echo {VERSION}; exit 1")
    plain = machine / "plain"
    plain.write_text(VERSION)

    assert not is_pinned_version(failing, "daprd", VERSION)
    assert not is_pinned_version(plain, "daprd", VERSION)
    assert not is_pinned_version(machine / "missing", "daprd", VERSION)


def test_binary_is_known_by_its_build_information(machine: Path) -> None:
    right = go_program(machine / "a", f"{MODULE}/cmd/placement", MODULE, f"v{VERSION}")
    old = go_program(machine / "b", f"{MODULE}/cmd/placement", MODULE, "v1.17.9")
    other = go_program(machine / "c", f"{MODULE}/cmd/sentry", MODULE, f"v{VERSION}")
    foreign = go_program(machine / "d", "x.invalid/cmd/placement", "x.invalid", f"v{VERSION}")

    assert find_installed("placement", VERSION, [old, other, foreign, right]) == right
    assert find_installed("placement", VERSION, [old, other, foreign]) is None


def test_program_of_the_same_name_that_is_not_daprs_is_not_run(machine: Path) -> None:
    """`scheduler` and `operator` are common names: only daprd is known to take --version."""
    ran = machine / "ran"
    scheduler = script(machine / "scheduler", f"touch '{ran}'; echo {VERSION}")

    assert not is_pinned_version(scheduler, "scheduler", VERSION)
    assert not ran.exists()


def test_installed_binary_is_found_on_path_and_in_daprs_own_folder(
    machine: Path, toolchain: Toolchain, tmp_path: Path
) -> None:
    daprd = script(machine / "daprd", f"echo {VERSION}")
    own = tmp_path / "home" / ".dapr" / "bin" / "placement"
    go_program(own, f"{MODULE}/cmd/placement", MODULE, f"v{VERSION}")

    assert toolchain.ensure(("daprd", "placement"), view()) == {"daprd": daprd, "placement": own}


def test_modules_are_fetched_without_building_and_not_for_what_is_there(
    machine: Path, toolchain: Toolchain, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    script(machine / "go", f'echo "$1" >> {said}\n{GO}')

    toolchain.fetch("placement")
    assert said.read_text().split() == ["version", "list"]
    toolchain.ensure(("placement",), view())
    said.write_text("")
    toolchain.fetch("placement")
    assert said.read_text() == ""


def test_missing_binary_is_built_once_and_then_found(
    machine: Path, toolchain: Toolchain, tmp_path: Path
) -> None:
    script(machine / "go", GO)

    built = toolchain.ensure(("placement", "scheduler"), view())
    script(machine / "go", "exit 1")

    assert toolchain.ensure(("placement", "scheduler"), view()) == built
    assert built["placement"].is_relative_to(tmp_path / "cache" / "bin")
    assert re.fullmatch(
        rf"dapr-{re.escape(VERSION)}-[0-9a-f]{{12}}", built["scheduler"].parent.name
    )
    assert sorted(path.name for path in built["placement"].parent.iterdir()) == [
        "placement",
        "scheduler",
    ]


def test_failed_build_leaves_no_binary_and_says_where_the_log_is(
    machine: Path, toolchain: Toolchain, tmp_path: Path
) -> None:
    failing = GO.replace("build) ", 'build) echo "x.go:1: undefined: y" >&2; exit 1; ')
    script(machine / "go", failing)

    with pytest.raises(ToolchainError, match="Building placement failed") as raised:
        toolchain.ensure(("placement",), view())

    log = tmp_path / "cache" / "logs" / "build-placement.log"
    assert str(log) in str(raised.value)
    assert "undefined: y" in log.read_text()
    assert toolchain.find("placement") is None


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("dial tcp: lookup proxy.invalid: no such host", "connect to the network"),
        ("write /x: no space left on device", "disk ran full"),
        ("verifying a@v1: checksum mismatch", "not the one that tools/dapr/go.sum pins"),
        ("compile: signal: killed", "4 GB of free memory"),
    ],
)
def test_what_made_a_build_fail_is_said_in_one_line(
    machine: Path, toolchain: Toolchain, said: str, line: str
) -> None:
    script(machine / "go", GO.replace("list) ", f"list) echo '{said}' >&2; exit 1; "))

    with pytest.raises(ToolchainError) as raised:
        toolchain.ensure(("placement",), view())

    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_name_that_is_none_of_daprs_is_refused(toolchain: Toolchain) -> None:
    with pytest.raises(ToolchainError, match="'dashboard' is none of Dapr's binaries: daprd, "):
        toolchain.ensure(("dashboard",))


def test_pin_changes_with_every_file_that_decides_the_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "tools" / "dapr"
    folder.mkdir(parents=True)
    go_mod = f"module x.invalid\n\ngo 1.26.5\n\nrequire {MODULE} v1.18.2\n"
    (folder / "go.mod").write_text(go_mod)
    (folder / "go.sum").write_text("a\n")
    first = read_pin(tmp_path)
    (folder / "go.sum").write_text("b\n")
    second = read_pin(tmp_path)
    (folder / "daprd").mkdir()
    (folder / "daprd" / "main.go").write_text("package main\n")
    third = read_pin(tmp_path)

    assert (first.version, first.oldest_go) == ("1.18.2", (1, 26, 5))
    assert len({pin.checksum for pin in (first, second, third)}) == 3


def build(*names: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast_local.toolchain", "build", *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_second_process_waits_for_the_first_and_uses_what_it_built(
    toolchain: Toolchain, machine: Path
) -> None:
    script(machine / "go", GO)
    folder = toolchain.ensure(("sentry",), view())["sentry"].parent
    first = FileLock(folder.with_name(f"{folder.name}.lock"))
    first.acquire()
    with build("placement") as second:
        assert second.stderr is not None
        assert "waiting for it" in second.stderr.readline()
        placement = script(folder / "placement", "exit 0")  # what the first process builds
        script(machine / "go", "exit 1")
        first.release()
        said, _ = second.communicate()

    assert (second.returncode, said) == (0, f"placement\t{placement}\n")


def test_interrupted_build_leaves_neither_a_compiler_nor_a_binary(
    toolchain: Toolchain, machine: Path, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    script(machine / "go", GO.replace("build) ", f"build) echo $$ > '{pids}'; exec sleep 600; "))
    with build("placement") as process:
        compiler = psutil.Process(int(pids.read_text()))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()

    assert process.returncode != 0
    assert "Traceback" not in said
    assert not compiler.is_running()
    assert toolchain.find("placement") is None


def test_interrupt_that_comes_while_a_compiler_is_being_started_ends_it(
    toolchain: Toolchain, machine: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    at_once = f"build) echo $$ > '{pid}'; kill -INT $PPID; exec sleep 600; "
    script(machine / "go", GO.replace("build) ", at_once))
    with build("placement") as process:
        process.communicate()

    assert process.returncode != 0
    assert not psutil.pid_exists(int(pid.read_text()))
    assert toolchain.find("placement") is None


def test_command_says_in_one_line_what_went_wrong(machine: Path) -> None:
    script(machine / "go", GO.replace("build) ", "build) exit 1; "))
    with build("placement") as process:
        said = process.communicate()

    assert process.returncode == 1
    assert said[0] == ""
    assert said[1].startswith("holdfast: Building placement failed")
    assert said[1].count("\n") == 1
