"""The set-up: what it makes, what it leaves alone, and what it says when something is missing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import bootstrap
from tests.support.clone import ROOT
from tests.support.wheels import lock_line, make_wheel


@dataclass(frozen=True)
class Clone:
    """A clone that holds nothing but the set-up and a lock of one tiny package."""

    root: Path
    wheels: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def lock(self, checksum: str) -> None:
        (self.root / "requirements" / "dev.txt").write_text(lock_line("tiny", "1.0", checksum))

    def start(self, **settings: str) -> subprocess.Popen[str]:
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_RETRIES": "0"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        return subprocess.Popen(
            [sys.executable, "tools/bootstrap.py"],
            cwd=self.root,
            env={**inherited, **(settings or offline)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def set_up(self, **settings: str) -> tuple[int, str]:
        with self.start(**settings) as process:
            _, said = process.communicate()
        return process.returncode, said


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    root = tmp_path / "a clone"
    (root / "tools").mkdir(parents=True)
    (root / "requirements").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.py", root / "tools")
    made = Clone(root, tmp_path / "wheels")
    made.lock(make_wheel(made.wheels, "tiny", "1.0", {"tiny.py": ""}))
    return made


@contextmanager
def index_that_never_answers() -> Iterator[tuple[str, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple", server


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def only_line(said: str) -> str:
    """Return what the set-up said went wrong; there must be one such line, and no traceback."""
    lines = [line for line in said.splitlines() if line.startswith("holdfast: ")]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return lines[0]


def test_set_up_replaces_a_half_made_venv_and_a_second_run_does_nothing(clone: Clone) -> None:
    clone.venv.mkdir()
    (clone.venv / "left-over").touch()

    status, said = clone.set_up()
    assert (status, "Ready." in said) == (0, True), said
    assert not (clone.venv / "left-over").exists()
    subprocess.run([clone.venv / "bin" / "python", "-c", "import tiny"], check=True)

    made = (clone.venv / bootstrap.STAMP).stat().st_mtime_ns
    assert clone.set_up() == (0, "")
    assert (clone.venv / bootstrap.STAMP).stat().st_mtime_ns == made


def test_wheel_with_another_checksum_is_refused_and_nothing_counts_as_made(clone: Clone) -> None:
    clone.lock("0" * 64)

    status, said = clone.set_up()

    assert status == 1
    assert "is not the one that requirements/dev.txt locks" in only_line(said)
    assert not (clone.venv / bootstrap.STAMP).exists()


def test_index_out_of_reach_is_named_in_one_line(clone: Clone) -> None:
    url = f"http://127.0.0.1:{closed_port()}/simple"

    status, said = clone.set_up(PIP_INDEX_URL=url, PIP_RETRIES="1")

    assert status == 1
    assert "cannot be reached: connect to the network" in only_line(said)


def test_interrupted_set_up_says_how_to_go_on_and_does_not_count_as_made(clone: Clone) -> None:
    with index_that_never_answers() as (url, server):
        with clone.start(PIP_INDEX_URL=url, PIP_RETRIES="0") as process:
            asked, _ = server.accept()  # pip is in the middle of its work
            process.send_signal(signal.SIGINT)
            said = process.communicate()[1]
        with asked:
            # pip has gone too: its end of the connection is closed.
            while asked.recv(4096):
                pass

    assert process.returncode == 130
    assert "run the same command again" in only_line(said)
    assert not (clone.venv / bootstrap.STAMP).exists()


@pytest.mark.parametrize(
    ("problem", "names", "remedy"),
    [
        (bootstrap.problem_with_python((3, 9, 2)), "Python 3.9 is too old", "PYTHON="),
        (
            bootstrap.problem_with_venv_module(has_ensurepip=False, version=(3, 11, 2)),
            "no ensurepip",
            "apt-get install python3.11-venv",
        ),
        (bootstrap.problem_with_disk(10**9, Path("/data")), "/data has 1.0 GB free", "free some"),
        (bootstrap.problem_with_libc("linux", None), "no GNU C library", "with glibc"),
        (bootstrap.problem_with_libc("win32", None), "'win32' is not supported", "use Linux"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    problem: str | None, names: str, remedy: str
) -> None:
    assert problem is not None
    assert names in problem
    assert remedy in problem
    assert "\n" not in problem


def test_machine_that_has_all_is_not_complained_about() -> None:
    assert bootstrap.problem_with_python((3, 11, 0)) is None
    assert bootstrap.problem_with_venv_module(has_ensurepip=True, version=(3, 11, 0)) is None
    assert bootstrap.problem_with_disk(bootstrap.NEEDED_BYTES, Path("/")) is None
    assert bootstrap.problem_with_libc("linux", "glibc 2.36") is None
    assert bootstrap.problem_with_libc("darwin", None) is None


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("ERROR: [Errno 28] No space left on device", "disk ran full"),
        ("ERROR: No matching distribution found for grpcio==1.85.1", "no wheel of grpcio==1.85.1"),
        ("NewConnectionError: refused\nNo matching distribution found for x", "cannot be reached"),
        ("something that nobody foresaw", "its output is in /log"),
    ],
)
def test_failure_of_pip_becomes_one_line(output: str, line: str) -> None:
    said = bootstrap.explain_pip(output, Path("/log"))

    assert line in said
    assert "\n" not in said


def test_fingerprint_changes_with_the_lock_and_with_every_package(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    lock = tmp_path / "requirements" / "dev.txt"
    lock.write_text("a==1\n")
    seen = [bootstrap.fingerprint(tmp_path, (3, 11, 2))]
    lock.write_text("a==2\n")
    seen.append(bootstrap.fingerprint(tmp_path, (3, 11, 2)))
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "pyproject.toml").write_text("[project]\n")
    seen.append(bootstrap.fingerprint(tmp_path, (3, 11, 2)))
    seen.append(bootstrap.fingerprint(tmp_path, (3, 12, 0)))

    assert len(set(seen)) == len(seen)
    assert bootstrap.fingerprint(tmp_path, (3, 12, 1)) == seen[-1]
