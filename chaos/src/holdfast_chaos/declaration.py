"""Bring your own workflow: a small Python file says what a run of it must leave behind.

The file has one name that counts, ``DECLARATION``. `docs/chaos.md` walks through an example.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from holdfast_chaos import model
from holdfast_chaos.facts import CLAIMED, DONE, key
from holdfast_chaos.model.expectation import Expectation, Expected
from holdfast_contracts.core import CLOSE_RUN

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World


class DeclarationError(ValueError):
    """A file declares no workflow; the text says what it lacks."""


@dataclass(frozen=True)
class Declaration:
    """What the suite has to know of a workflow whose effects go through the ledger.

    A run either ends well, and has every effect; or it fails, and each step that has a compensation
    and took effect is undone, the last one first.
    """

    #: Its name, as the API knows it.
    workflow: str
    #: Returns the input of a run; all that varies comes from the generator that it is given.
    start: Callable[[Random], Any]
    #: The steps that take effect, in order, each once: of every run, or of a run with an input.
    effects: Sequence[str] | Callable[[Any], Sequence[str]]
    #: What undoes a step, by step.
    compensations: Mapping[str, str] = field(default_factory=dict)

    def steps(self, payload: Any) -> tuple[str, ...]:
        """Return the steps of a run that ends well."""
        return tuple(self.effects(payload) if callable(self.effects) else self.effects)

    def expect(self, run: DeclaredRun, world: World) -> Expectation:
        """Return what a run must have left, given whether it failed."""
        ledger, history = world.ledger, world.histories.get(run.instance)
        failed = history is not None and history.status == "FAILED"
        effects: dict[str, Expected] = {}
        for step in self.steps(run.input):
            there = ledger.effect.get(key(run.instance, step))
            if there is None and failed:
                continue
            # Undone before it could take effect, a step is barred for good.
            barred = failed and there is not None and there.kind == CLAIMED
            effects[key(run.instance, step)] = Expected(kind=CLAIMED if barred else DONE)
            if failed and step in self.compensations:
                effects[key(run.instance, self.compensations[step])] = Expected()
        closing = ledger.closed.get(run.instance)
        if closing is not None and closing.key == key(run.instance, CLOSE_RUN.name):
            effects[closing.key] = Expected()
        return Expectation(effects, "FAILED" if failed else "COMPLETED")

    def causes(self, payload: Any) -> Mapping[str, tuple[str, ...]]:
        """Return each step of a run with the one before it; compensations, in reverse order."""
        steps = self.steps(payload)
        undoing = [self.compensations[s] for s in reversed(steps) if s in self.compensations]
        return {
            later: (earlier,) for order in (steps, undoing) for earlier, later in pairwise(order)
        }


def load_declaration(file: Path) -> Declaration:
    """Return what a file declares, and make the checker expect it; raise ``DeclarationError``."""
    spec = importlib.util.spec_from_file_location(f"declared_{file.stem}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise DeclarationError(f"{file}: there is no such Python file")
    loaded = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(loaded)
    except Exception as error:
        raise DeclarationError(f"{file}: {type(error).__name__}: {error}") from error
    declaration = getattr(loaded, "DECLARATION", None)
    if not isinstance(declaration, Declaration):
        raise DeclarationError(f"{file}: has no DECLARATION = Declaration(…)")
    model.declare(declaration.workflow, declaration.expect, declaration.causes)
    return declaration
