"""What the two memories say of each other."""

from __future__ import annotations

import pytest

from holdfast_status_api.remembering import Kept, Loss, following, loss_of

NOW, THEN = "7-now", "6-then"


def kept(number: int = 7, before: str | None = THEN, *, confirmed: bool = True) -> Kept:
    return Kept(number, f"{number}-now", before, confirmed)


@pytest.mark.parametrize(
    ("of_the_database", "of_the_scheduler"),
    [
        (None, []),
        (kept(), [NOW, THEN]),
        # The process died before the scheduler heard the new word, or before it was confirmed.
        (kept(confirmed=False), [THEN, "5-earlier"]),
        (kept(confirmed=False), [THEN, NOW]),
        # It has never heard one, or only one.
        (kept(1, None, confirmed=False), []),
        (kept(1, None, confirmed=False), ["1-now"]),
        (kept(1, None), ["1-now"]),
        # What is left from before a loss that was noticed.
        (kept(9, None), ["9-now", "8-other"]),
    ],
)
def test_what_a_crash_leaves_is_no_loss(
    of_the_database: Kept | None, of_the_scheduler: list[str]
) -> None:
    assert loss_of(of_the_database, of_the_scheduler) is None


@pytest.mark.parametrize(
    ("of_the_database", "of_the_scheduler", "loss"),
    [
        (kept(), [], Loss.SCHEDULER_LOST),
        (kept(confirmed=False), [], Loss.SCHEDULER_LOST),
        (kept(1, None), [], Loss.SCHEDULER_LOST),
        # The sidecar brought the new word late, to a scheduler that had lost all else.
        (kept(confirmed=False), [NOW], Loss.SCHEDULER_LOST),
        (kept(), [NOW], Loss.SCHEDULER_LOST),
        # Two of them.
        (Kept(8, "8-now", THEN, confirmed=False), ["8-now", "7-lost"], Loss.SCHEDULER_LOST),
        (kept(), ["9-later", "8-later"], Loss.DATABASE_OLDER),
        (kept(), ["8-later", NOW], Loss.DATABASE_OLDER),
        (None, ["9-later"], Loss.DATABASE_OLDER),
        (kept(), ["5-earlier", "4-earlier"], Loss.SCHEDULER_OLDER),
        (kept(), [THEN, "5-earlier"], Loss.SCHEDULER_OLDER),
        # The same numbers, in another life.
        (kept(), ["7-other", "6-other"], Loss.SCHEDULER_OLDER),
    ],
)
def test_each_loss_has_its_name(
    of_the_database: Kept | None, of_the_scheduler: list[str], loss: Loss
) -> None:
    assert loss_of(of_the_database, of_the_scheduler) is loss


@pytest.mark.parametrize(
    ("of_the_database", "of_the_scheduler", "number", "before"),
    [
        (None, [], 1, None),
        (kept(1, None), ["1-now"], 2, "1-now"),
        (kept(), [NOW, THEN], 8, NOW),
        (kept(confirmed=False), [NOW, THEN], 8, NOW),
        # It did not hear: what it has stays in its place, and the next one replaces the other.
        (kept(confirmed=False), [THEN, "5-earlier"], 9, THEN),
    ],
)
def test_the_word_before_is_one_that_the_scheduler_holds_and_keeps(
    of_the_database: Kept | None, of_the_scheduler: list[str], number: int, before: str | None
) -> None:
    new = following(of_the_database, of_the_scheduler, None)

    assert (new.number, new.word_before, new.confirmed) == (number, before, False)
    assert new.word.startswith(f"{number}-")
    if before is not None:
        assert (number - int(before.partition("-")[0])) % 2 == 1


def test_after_a_loss_nothing_from_before_counts_and_numbers_go_on() -> None:
    new = following(kept(), ["9-later", "8-later"], Loss.DATABASE_OLDER)

    assert (new.number, new.word_before) == (10, None)
    assert loss_of(Kept(new.number, new.word, None, confirmed=True), [new.word, "9-later"]) is None


def test_each_word_is_another() -> None:
    assert following(kept(), [NOW, THEN], None).word != following(kept(), [NOW, THEN], None).word
