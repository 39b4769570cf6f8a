"""The pace is the CPU time of fixed work: waiting is no part of it."""

from __future__ import annotations

import threading

from bench.scaling.pace import Pace


def test_pace_is_measured_for_as_long_as_the_block_lasts() -> None:
    with Pace() as pace:
        threading.Event().wait(0.5)

    assert 0.05 < pace.milliseconds < 50
    assert "pace" not in {one.name for one in threading.enumerate()}


def test_pace_is_known_after_the_shortest_block() -> None:
    with Pace() as pace:
        pass

    assert pace.milliseconds > 0
