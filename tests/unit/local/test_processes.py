"""A stack's processes are found by their marker, and no other process is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast_local import processes
from tests.support.waiting import eventually

#: Starts a child, in a session of its own, and waits; ignores the polite signal.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep(600)
"""


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(started: ExitStack, marker: str, code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, processes.MARKER: marker}
    )
    started.callback(process.wait)
    started.callback(process.kill)
    return process


def test_all_of_a_stack_and_nothing_else_is_ended(started: ExitStack, tmp_path: Path) -> None:
    mine, other = str(tmp_path / "mine"), str(tmp_path / "mine-too")
    start(started, mine, STUBBORN)
    bystander = start(started, other, "import time; time.sleep(600)")
    eventually("parent and child run", lambda: len(processes.of_stack(mine)) == 2)

    ended = processes.end_all(mine, grace_seconds=0.5)

    assert len(ended) == 2
    assert processes.of_stack(mine) == []
    assert bystander.poll() is None


def test_the_caller_is_not_part_of_what_it_ends(
    monkeypatch: pytest.MonkeyPatch, started: ExitStack, tmp_path: Path
) -> None:
    marker = str(tmp_path)
    code = (
        "from holdfast_local import processes; import sys;"
        "sys.exit(len(processes.end_all(sys.argv[1])))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, marker],
        env={**os.environ, processes.MARKER: marker},
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0


def test_memory_adds_up_over_children(started: ExitStack, tmp_path: Path) -> None:
    process = start(started, str(tmp_path), STUBBORN)
    eventually("parent and child run", lambda: len(processes.family(process.pid)) == 2)
    total = processes.memory(processes.family(process.pid))
    assert 0 < total.uss <= total.pss <= total.rss
    processes.signal_family(process.pid, signal.SIGKILL)


def test_a_process_that_has_ended_has_no_family() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert processes.family(ended.pid) == []
