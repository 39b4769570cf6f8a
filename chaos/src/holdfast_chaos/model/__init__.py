"""What the declared workload must have done: an independent prediction, pattern by pattern.

Races that the model cannot foresee (a cancellation between steps, an approval against a
time-out, the number of polls) are settled by the facts; everything else is computed here.

A pattern's declaration is the module of its stem: `expect` says what a run must have left behind,
`CAUSES` which steps of it may only begin after which others took effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from holdfast_chaos.model.expectation import Expectation
from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World

    Model = Callable[[DeclaredRun, World], Expectation]

#: Each step, and the steps all of whose effects must be there before it begins.
Causes = Mapping[str, tuple[str, ...]]

_DECLARATIONS = {name: import_module(f"{__name__}.{name}") for name in PUBLIC_WORKFLOWS}

MODELS: dict[str, Model] = {name: module.expect for name, module in _DECLARATIONS.items()}


def _always(causes: Causes) -> Callable[[Any], Causes]:
    return lambda _payload: causes


#: By workflow: the causes of a run, given its input.
CAUSES: dict[str, Callable[[Any], Causes]] = {
    name: _always(module.CAUSES) for name, module in _DECLARATIONS.items()
}


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return what a promised run must have left behind."""
    return MODELS[run.workflow](run, world)


def causes(run: DeclaredRun) -> Causes:
    """Return which steps of a run may only begin after which others took effect."""
    return CAUSES[run.workflow](run.input)


def declare(workflow: str, model: Model, causes: Callable[[Any], Causes]) -> None:
    """Expect this of a workflow's runs from now on."""
    MODELS[workflow] = model
    CAUSES[workflow] = causes
