"""How a model says what it expects: effects by key, each with a test of its result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast_chaos.facts import DONE

#: Returns what is wrong with a result, or none.
Test = Callable[[Any], str | None]

#: A nanometre's worth of disagreement between two geodesy libraries is not a finding; a metre is.
LEG_TOLERANCE_KM = 1e-6


def anything(result: Any) -> str | None:
    """Accept every result."""
    del result
    return None


def fields(**expected: Any) -> Test:
    """Expect an object whose named fields have the given values."""

    def test(result: Any) -> str | None:
        if not isinstance(result, Mapping):
            return f"{result!r} is no object"
        for name, value in expected.items():
            if not same(result.get(name), value):
                return f"{name} is {result.get(name)!r}, the model says {value!r}"
        return None

    return test


def same(found: Any, expected: Any) -> bool:
    """Compare two JSON values, floats within the tolerance of a leg per 1,000 km."""
    if isinstance(expected, float) and isinstance(found, int | float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=LEG_TOLERANCE_KM)
    if isinstance(expected, list) and isinstance(found, list):
        pairs = zip(found, expected, strict=False)
        return len(found) == len(expected) and all(same(f, e) for f, e in pairs)
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in found)
    return bool(found == expected)


@dataclass(frozen=True)
class Expected:
    """One effect that has to be there."""

    test: Test = anything
    kind: str = DONE


@dataclass(frozen=True)
class Expectation:
    """What one run must have left behind, given how its races went."""

    effects: Mapping[str, Expected]
    #: How the run must have ended, in the engine's words.
    status: str
    #: What it must have returned, when it completed.
    output: Test = anything
    #: Rows other than effects that the model misses or does not want, in words.
    books: tuple[str, ...] = ()
    #: How many such rows were compared.
    books_checked: int = 0


@dataclass
class Books:
    """Compare the business rows that effects leave with what the model says."""

    checked: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: Any, expected: Any) -> None:
        """Note a difference between a row and the model."""
        self.checked += 1
        if not same(found, expected):
            self.wrong.append(f"{what}: the row says {found!r}, the model says {expected!r}")
