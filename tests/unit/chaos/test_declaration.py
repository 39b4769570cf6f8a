"""Declarations of workflows that are not ours: what they expect, and how a bad one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_chaos import model
from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.declaration import Declaration, DeclarationError, load_declaration
from holdfast_chaos.schedule import make_schedule

SAGA = Declaration(
    workflow="order",
    start=lambda random: {"number": random.randint(1, 9)},
    effects=("reserve", "charge", "ship"),
    compensations={"reserve": "release", "charge": "refund"},
)


@pytest.fixture(autouse=True)
def own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MODELS", dict(model.MODELS))
    monkeypatch.setattr(model, "CAUSES", dict(model.CAUSES))


def test_steps_come_in_order_and_compensations_in_reverse() -> None:
    assert SAGA.causes() == {
        "charge": ("reserve",),
        "ship": ("charge",),
        "release": ("refund",),
    }


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
    assert model.CAUSES["mine"] == {"two": ("one",)}


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
