"""The cluster's commands, as `make` runs them, and what they say when they refuse."""

from __future__ import annotations

import subprocess
import sys

from tests.support.clone import ROOT


def command(*arguments: str) -> list[str]:
    """Return the command line of one."""
    return [sys.executable, "-m", "holdfast_cluster", *arguments]


def run(*arguments: str, seconds: float = 500) -> subprocess.CompletedProcess[str]:
    """Run one, and return how it ended and what it said."""
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a refused command ends with."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    [line] = [one for one in done.stderr.splitlines() if one.startswith("holdfast: ")]
    return line
