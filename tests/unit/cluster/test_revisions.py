"""A release goes back to the latest revision that was deployed."""

from __future__ import annotations

import pytest

from holdfast_cluster.revisions import way_back


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], ("none", None)),
        ([(1, "deployed")], ("deployed", 1)),
        ([(1, "failed")], ("failed", None)),
        ([(1, "pending-install")], ("pending-install", None)),
        ([(1, "superseded"), (2, "deployed"), (3, "failed")], ("failed", 2)),
        ([(1, "superseded"), (2, "failed"), (3, "pending-upgrade")], ("pending-upgrade", 1)),
        ([(1, "deployed"), (2, "failed"), (3, "failed")], ("failed", 1)),
    ],
)
def test_way_back(history: list[tuple[int, str]], expected: tuple[str, int | None]) -> None:
    assert way_back(history) == expected
