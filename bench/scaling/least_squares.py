"""Least squares of a few unknowns, none of which is below zero: a cost never is."""

from __future__ import annotations

from collections.abc import Sequence

#: Relative to the largest of a column: what is smaller is nothing.
_NOTHING = 1e-9


class SingularError(ValueError):
    """The measurements cannot tell two costs apart; the text says which."""


def fit(
    rows: Sequence[Sequence[float]], found: Sequence[float], names: Sequence[str]
) -> tuple[float, ...]:
    """Return the weights of the columns, none below 0, that come nearest to what was found.

    A weight that would be below 0 is 0, and the others are fitted without it. Raises
    ``SingularError`` if the columns depend on each other.
    """
    kept = list(range(len(names)))
    weights = [0.0] * len(names)
    while kept:
        solved = _solve(rows, found, kept, names)
        lowest = min(range(len(kept)), key=lambda at: solved[at])
        if solved[lowest] >= 0:
            for at, column in enumerate(kept):
                weights[column] = solved[at]
            break
        del kept[lowest]
    return tuple(weights)


def _solve(
    rows: Sequence[Sequence[float]], found: Sequence[float], kept: list[int], names: Sequence[str]
) -> list[float]:
    """Solve the normal equations of some columns, each scaled to 1 at most."""
    scale = [max(abs(row[column]) for row in rows) for column in kept]
    for column, largest in zip(kept, scale, strict=True):
        if not largest:
            raise SingularError(f"nothing was measured with {names[column]}")
    scaled = [
        [row[column] / largest for column, largest in zip(kept, scale, strict=True)] for row in rows
    ]
    size = len(kept)
    table = [
        [sum(row[i] * row[j] for row in scaled) for j in range(size)]
        + [sum(row[i] * y for row, y in zip(scaled, found, strict=True))]
        for i in range(size)
    ]
    for i in range(size):
        # The equations of least squares need no exchange of rows: each pivot is what of its
        # column the columns before do not explain.
        if table[i][i] < _NOTHING * len(rows):
            raise SingularError(f"{names[kept[i]]} cannot be told from what is before it")
        for at in range(size):
            if at != i:
                factor = table[at][i] / table[i][i]
                table[at] = [x - factor * y for x, y in zip(table[at], table[i], strict=True)]
    return [table[i][size] / table[i][i] / scale[i] for i in range(size)]
