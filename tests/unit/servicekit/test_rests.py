"""Rests between two looks."""

from __future__ import annotations

from holdfast_servicekit.lasting import Rests


def test_rests_grow_while_there_is_no_work_and_start_anew_with_some() -> None:
    rests = Rests(0.2, 1.0)
    idle = [rests.next(busy=False) for _ in range(6)]
    assert idle == sorted(idle)
    assert (idle[0], idle[-1]) == (0.2 * 1.5, 1.0)
    assert rests.next(busy=True) == 0.2
    assert rests.next(busy=False) == 0.2 * 1.5
