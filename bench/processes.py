"""Processes that a contestant needs: started, awaited, measured, killed, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_local import processes
from holdfast_local.folders import repository
from holdfast_local.processes import MARKER

_END_SECONDS = 15
_INHERITED = ("HOME", "PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH")


class BenchError(Exception):
    """What keeps a benchmark from being taken, in one line."""


def until(reached: Any, *, seconds: float, what: str) -> None:
    """Return when the condition holds, or raise with what it is."""
    try:
        Retrying(
            retry=retry_if_result(lambda is_so: not is_so),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.1),
        )(reached)
    except Exception as error:
        raise BenchError(f"{what}: not within {seconds:.0f} s ({error})") from error


class Processes:
    """Named processes with a log each; all end together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        piped: bool = False,
        user: str | None = None,
    ) -> subprocess.Popen[str]:
        """Start a process from the clone's root, with its output in a log of its name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        with self.log(name).open("a") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=repository(),
                env={
                    **inherited,
                    MARKER: str(self._folder),
                    "PYTHONPATH": str(repository()),
                    "PYTHONUNBUFFERED": "1",
                    **(environment or {}),
                },
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                text=True,
                start_new_session=True,
                user=user,
            )
        self._running[name] = process
        return process

    def log(self, name: str) -> Path:
        """Return where a process's output goes."""
        return self._folder / f"{name}.log"

    def members(self) -> dict[str, list[psutil.Process]]:
        """Return every process that runs, with its descendants, by name."""
        return {name: processes.family(one.pid) for name, one in self._running.items()}

    def forget(self, name: str) -> None:
        """Leave out a process that has ended."""
        del self._running[name]

    def kill(self, name: str) -> None:
        """End a process and its descendants with SIGKILL."""
        processes.signal_family(self._running[name].pid, signal.SIGKILL)
        self._running[name].wait()

    def end(self) -> None:
        """End all, who calls before who is called, and return when none is left."""
        for name in reversed(list(self._running)):
            process = self._running.pop(name)
            with suppress(OSError):
                if process.stdin:
                    process.stdin.close()
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                processes.signal_family(process.pid, signal.SIGKILL)
                process.wait()
        processes.end_all(str(self._folder))


class Driver:
    """The client of a contestant, asked over its pipes."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self._answer()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give one command and return what came of it."""
        if self._process.stdin is None:
            raise BenchError("the driver has no pipe")
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise BenchError(f"the driver has ended; see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{answer['error']}; see {self._log}")
        return answer


def driver(
    running: Processes,
    module: str,
    environment: Mapping[str, str],
    python: str | Path | None = None,
) -> Driver:
    """Start a driver in its contestant's environment and return it once it is ready."""
    command = [python or sys.executable, "-m", f"bench.drivers.{module}"]
    return Driver(running.start("driver", command, environment, piped=True), running.log("driver"))
