"""The `holdfast` command, as a process of its own, for a stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from holdfast_local.stack import Stack


@dataclass(frozen=True)
class Ended:
    """What came of it."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Return what it wrote with ``-o json``."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def holdfast(stack: Stack, *arguments: str, role: str = "operator") -> Ended:
    """Run the command with the token of a role of the stack."""
    settings = {key: text for key, text in os.environ.items() if not key.startswith("HOLDFAST_")}
    done = subprocess.run(
        [sys.executable, "-m", "holdfast_cli", "--stack", stack.name, "--role", role, *arguments],
        cwd=stack.folder.path,
        env=settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
