"""The states of a run, as the API names them, and what each means for an exit status."""

from __future__ import annotations

from typing import Any

from holdfast_cli.errors import ExitCode

COMPLETED = "COMPLETED"
TERMINAL = frozenset({COMPLETED, "FAILED", "TERMINATED", "CANCELLED"})


def has_ended(status: dict[str, Any]) -> bool:
    """Tell whether a status is a run's last."""
    return status.get("state") in TERMINAL


def exit_code(status: dict[str, Any]) -> ExitCode:
    """Return 0 for a run that completed, and 1 for one that ended in any other way."""
    return ExitCode.OK if status.get("state") == COMPLETED else ExitCode.FAILED
