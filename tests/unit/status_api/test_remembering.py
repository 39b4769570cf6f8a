"""What the two memories say of each other."""

from __future__ import annotations

import pytest

from holdfast_status_api.remembering import Kept, Loss, loss_of


def kept(number: int, before: str | None = None, *, confirmed: bool = True) -> Kept:
    return Kept(number, f"{number}-now", before, confirmed)


@pytest.mark.parametrize(
    ("of_the_database", "of_the_scheduler"),
    [
        (None, None),
        (kept(7, "6-then"), "7-now"),
        # The process died before the scheduler heard the new word, or before it was confirmed.
        (kept(7, "6-then", confirmed=False), "6-then"),
        (kept(7, "6-then", confirmed=False), "7-now"),
        # It has never heard one.
        (kept(1, confirmed=False), None),
    ],
)
def test_what_a_crash_leaves_is_no_loss(
    of_the_database: Kept | None, of_the_scheduler: str | None
) -> None:
    assert loss_of(of_the_database, of_the_scheduler) is None


@pytest.mark.parametrize(
    ("of_the_database", "of_the_scheduler", "loss"),
    [
        (kept(7, "6-then"), None, Loss.SCHEDULER_LOST),
        (kept(7, "6-then", confirmed=False), None, Loss.SCHEDULER_LOST),
        (kept(1), None, Loss.SCHEDULER_LOST),
        (kept(7, "6-then"), "9-later", Loss.DATABASE_OLDER),
        (None, "9-later", Loss.DATABASE_OLDER),
        (kept(7, "6-then"), "5-earlier", Loss.SCHEDULER_OLDER),
        # The same number, in another life.
        (kept(7, "6-then"), "7-other", Loss.SCHEDULER_OLDER),
    ],
)
def test_each_loss_has_its_name(
    of_the_database: Kept | None, of_the_scheduler: str | None, loss: Loss
) -> None:
    assert loss_of(of_the_database, of_the_scheduler) is loss
