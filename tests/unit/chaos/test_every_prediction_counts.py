"""Taking any single prediction out of the model would let a broken world pass unnoticed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from holdfast_chaos import model
from holdfast_chaos.invariants import InvariantResult, i2_effects, i3_stories, i4_causality
from holdfast_chaos.model import expectation
from holdfast_chaos.world import World
from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from tests.unit.chaos.test_invariants import CASES, world

Check = Callable[[World], InvariantResult]

#: The invariants that judge by what the model predicts, result by result.
RESULTS: dict[str, Check] = {"I2": i2_effects.check, "I3": i3_stories.check}
ORDER: dict[str, Check] = {"I4": i4_causality.check}
ALL = RESULTS | ORDER


def calls(function: str) -> Iterator[tuple[str, ast.Call]]:
    """Give workflow and place of every call of a function in the models."""
    for workflow in PUBLIC_WORKFLOWS:
        source = Path(str(import_module(f"{model.__name__}.{workflow}").__file__))
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
                yield workflow, node


FIELDS = [
    pytest.param(workflow, call.lineno, named.arg, id=f"{workflow}:{call.lineno} {named.arg}")
    for workflow, call in calls("fields")
    for named in call.keywords
]
ROWS = [
    pytest.param(workflow, call.lineno, id=f"{workflow}:{call.lineno}")
    for workflow, call in calls("books.expect")
]
CAUSES = [
    (workflow, step)
    for workflow in PUBLIC_WORKFLOWS
    for step in import_module(f"{model.__name__}.{workflow}").CAUSES
]


def only(workflow: str, whole: World) -> World:
    """Return a world in which nothing but the runs of one workflow was promised."""
    seen = whole.observations
    starts = tuple(start for start in seen.starts if start.workflow == workflow)
    return replace(whole, observations=replace(seen, starts=starts))


@cache
def broken() -> tuple[tuple[str, World], ...]:
    """Return every broken world with the invariant that is red in it."""
    worlds: list[tuple[str, World]] = []
    for case in CASES:
        breaking: Any = case.values[0]
        red = str(case.values[1])
        if red in ALL:
            worlds.append((red, breaking(world())))
    return tuple(worlds)


@cache
def red_worlds(workflow: str) -> tuple[tuple[Check, World], ...]:
    """Return the broken worlds in which a run of the workflow is red, each with its check."""
    checked = [(ALL[red], only(workflow, whole)) for red, whole in broken()]
    return tuple((check, whole) for check, whole in checked if not check(whole).holds)


def changes_colour(workflow: str, checks: dict[str, Check]) -> bool:
    """Tell whether some broken world now passes, or the clean one does not."""
    passes = any(
        check(whole).holds for check, whole in red_worlds(workflow) if check in checks.values()
    )
    return passes or not all(check(only(workflow, world())).holds for check in checks.values())


@pytest.fixture(autouse=True, scope="module")
def judged_by_the_whole_model_first() -> None:
    """See which worlds are red while nothing of the model is missing."""
    for workflow in PUBLIC_WORKFLOWS:
        assert red_worlds(workflow)
        assert not changes_colour(workflow, ALL)


@pytest.mark.parametrize(("workflow", "line", "name"), FIELDS)
def test_every_predicted_field_makes_some_world_red(
    workflow: str, line: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fields(**expected: Any) -> expectation.Test:
        if sys._getframe(1).f_lineno == line:  # noqa: SLF001 - which prediction it is
            del expected[name]
        return expectation.fields(**expected)

    monkeypatch.setattr(import_module(f"{model.__name__}.{workflow}"), "fields", fields)
    assert changes_colour(workflow, RESULTS)


@pytest.mark.parametrize(("workflow", "line"), ROWS)
def test_every_predicted_row_makes_some_world_red(
    workflow: str, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Books(expectation.Books):
        def expect(self, what: str, found: Any, expected: Any) -> None:
            if sys._getframe(1).f_lineno != line:  # noqa: SLF001 - which row it is
                super().expect(what, found, expected)

    monkeypatch.setattr(import_module(f"{model.__name__}.{workflow}"), "Books", Books)
    assert changes_colour(workflow, RESULTS)


@pytest.mark.parametrize(("workflow", "step"), CAUSES)
def test_every_cause_makes_some_world_red(
    workflow: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = import_module(f"{model.__name__}.{workflow}").CAUSES
    monkeypatch.setitem(model.CAUSES, workflow, lambda _payload: {**whole, step: ()})
    assert changes_colour(workflow, ORDER)
