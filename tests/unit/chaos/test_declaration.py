"""Declarations of workflows that are not ours: what they expect, and how a bad one is refused.

A declared workflow is judged as strictly as the product's own, whichever way its effects are given.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast_chaos import model
from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.declaration import Declaration, DeclarationError, load_declaration
from holdfast_chaos.invariants import check_all
from holdfast_chaos.schedule import make_schedule
from holdfast_chaos.world import World
from tests.unit.chaos.breaking import Break, both, drop, forget, swap, twice
from tests.unit.chaos.script import Script

SAGA = Declaration(
    workflow="order",
    start=lambda random: {"number": random.randint(1, 9)},
    effects=("reserve", "charge", "ship"),
    compensations={"reserve": "release", "charge": "refund"},
)
#: The same, but which steps a run has depends on its input.
BY_INPUT = replace(SAGA, effects=lambda payload: payload["steps"])
WHOLE = {"steps": ["reserve", "charge", "ship"]}


def told() -> World:
    """Tell of a run that went well, and of one that could not ship and was undone."""
    script = Script()
    for instance in ("good", "refused"):
        tale = script.begin(instance, "order", WHOLE)
        script.step(tale, "reserve", {})
        script.step(tale, "charge", {})
        if instance == "good":
            script.step(tale, "ship", {}, closes=True)
            script.finish(tale, "COMPLETED", {})
        else:
            script.fail(tale, "ship", "NoShipError")
            script.step(tale, "refund", {})
            script.step(tale, "release", {}, closes=True)
            script.finish(tale, "FAILED", None)
    return script.world()


@pytest.fixture(autouse=True)
def own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MODELS", dict(model.MODELS))
    monkeypatch.setattr(model, "CAUSES", dict(model.CAUSES))


def test_steps_come_in_order_and_compensations_in_reverse() -> None:
    order = {"charge": ("reserve",), "ship": ("charge",), "release": ("refund",)}
    assert SAGA.causes(None) == BY_INPUT.causes(WHOLE) == order
    assert BY_INPUT.causes({"steps": ["reserve", "ship"]}) == {"ship": ("reserve",)}


@pytest.mark.parametrize("declared", [SAGA, BY_INPUT], ids=["fixed", "by input"])
@pytest.mark.parametrize(
    ("breaking", "red"),
    [
        pytest.param(lambda world: world, set(), id="nothing is wrong"),
        pytest.param(drop("effects", key="good|0|charge|0"), {"I2"}, id="effect missing"),
        pytest.param(
            twice(
                "effects",
                {"key": "good|0|charge|1", "index": 1, "seq": 10**6},
                key="good|0|charge|0",
            ),
            {"I2"},
            id="effect done twice",
        ),
        pytest.param(
            both(
                forget("refused", "refund"),
                drop("effects", key="refused|0|refund|0"),
                drop("attempts", key="refused|0|refund|0"),
            ),
            {"I2"},
            id="compensation missing",
        ),
        pytest.param(swap("good|0|reserve|0", "good|0|charge|0"), {"I4"}, id="wrong order"),
        pytest.param(
            swap("refused|0|refund|0", "refused|0|release|0"), {"I4"}, id="undone in wrong order"
        ),
    ],
)
def test_what_a_run_left_is_held_against_its_declaration(
    declared: Declaration, breaking: Break, red: set[str]
) -> None:
    model.declare(declared.workflow, declared.expect, declared.causes)
    results = check_all(breaking(told()))
    assert {result.id for result in results if not result.holds} == red


def test_every_wave_finds_a_run_of_a_declared_workflow_at_one_of_its_steps() -> None:
    made = make_schedule(1, list(KINDS.values()), faults=6, runs=12, patterns=(), declared=[SAGA])
    assert {run.workflow for run in made.runs} == {"order"}
    assert {run.step for run in made.runs} <= {"reserve", "charge", "ship"}
    assert len({run.name for run in made.runs}) == 12


def test_a_file_is_loaded_and_the_checker_expects_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from holdfast_chaos.declaration import Declaration\n"
        "DECLARATION = Declaration('mine', lambda random: 1, ('one', 'two'))\n"
    )
    declared = load_declaration(file)
    assert declared.steps(1) == ("one", "two")
    assert model.MODELS["mine"] == declared.expect
    assert model.CAUSES["mine"](1) == {"two": ("one",)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no DECLARATION"),
        ("DECLARATION = 1", "has no DECLARATION"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("this is no Python", "SyntaxError"),
    ],
)
def test_a_file_that_declares_nothing_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(DeclarationError, match=says):
        load_declaration(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="no such Python file"):
        load_declaration(tmp_path / "mine.py")
