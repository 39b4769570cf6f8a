"""A release whose last upgrade ended badly goes on from where it stands."""

from __future__ import annotations

import pytest

from holdfast_cluster.revisions import Way, way_on


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], Way.NOTHING),
        (["deployed"], Way.NOTHING),
        (["superseded", "failed", "deployed"], Way.NOTHING),
        (["failed"], Way.NOTHING),
        (["pending-install"], Way.UNINSTALL),
        (["superseded", "uninstalling"], Way.UNINSTALL),
        (["superseded", "deployed", "failed"], Way.CONFIRM),
        (["deployed", "pending-upgrade"], Way.CONFIRM),
        # Of these, nothing is known to be whole; it may serve all the same.
        (["failed", "pending-upgrade"], Way.CONFIRM),
        (["failed", "failed"], Way.CONFIRM),
        (["deployed", "superseded", "failed"], Way.CONFIRM),
        (["superseded", "pending-rollback"], Way.CONFIRM),
    ],
)
def test_way_on(states: list[str], expected: Way) -> None:
    assert way_on(states) is expected
