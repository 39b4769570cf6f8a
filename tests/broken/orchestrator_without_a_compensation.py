"""The orchestrator that forgets to give the hotel room back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from holdfast_contracts.book_trip import CANCEL_HOTEL
from holdfast_orchestrator.__main__ import cli

book_trip: Any = import_module("holdfast_orchestrator.workflows.book_trip")
_undo: Any = book_trip._undo  # noqa: SLF001 - the rule that is taken out


def _undo_but_for_hotels(run: Any, registered: Any) -> Any:
    return _undo(run, [step for step in registered if step.undo is not CANCEL_HOTEL])


book_trip._undo = _undo_but_for_hotels  # noqa: SLF001
cli(["serve"])
