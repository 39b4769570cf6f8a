"""The orchestrator that forgets to give the hotel room back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from holdfast_contracts.book_trip import CANCEL_HOTEL
from holdfast_orchestrator.__main__ import cli

#: The package gives the name of the module to the workflow in it.
book_trip: Any = import_module("holdfast_orchestrator.workflows.book_trip")
_undo: Any = book_trip._undo  # noqa: SLF001 - the rule that is taken out


def _undo_but_for_hotels(run: Any, registered: Any, consumed_event: str | None = None) -> Any:
    kept = [step for step in registered if step.undo is not CANCEL_HOTEL]
    return _undo(run, kept, consumed_event)


book_trip._undo = _undo_but_for_hotels  # noqa: SLF001
cli(["serve"])
