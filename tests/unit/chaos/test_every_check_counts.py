"""Removing any single check of the checker would let a broken world pass unnoticed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast_chaos import invariants
from holdfast_chaos.invariants import check_all
from holdfast_chaos.invariants.result import Tally
from tests.unit.chaos.test_invariants import CASES, world

Site = tuple[str, int]


def sites() -> Iterator[tuple[str, int, int]]:
    """Give file, first and last line of every call of ``tally.check``."""
    for path in Path(invariants.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tally.check":
                yield path.name, node.lineno, node.end_lineno or node.lineno


def test_every_check_is_the_only_one_to_notice_some_break(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: set[Site] = set()
    noticed: set[Site] = set()
    original = Tally.check

    def check(tally: Tally, holds: object, otherwise: str) -> bool:
        if not holds:
            caller = sys._getframe(1)  # noqa: SLF001 - which check it was
            failed.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
        return original(tally, holds, otherwise)

    monkeypatch.setattr(Tally, "check", check)
    for case in CASES:
        failed.clear()
        breaking: Any = case.values[0]
        check_all(breaking(world()))
        if len(failed) == 1:
            noticed |= failed
    unproven = [
        (name, first)
        for name, first, last in sites()
        if not any(file == name and first <= line <= last for file, line in noticed)
    ]
    assert unproven == []
