"""Who is measured when."""

from __future__ import annotations

from bench.plan import interleaved


def test_contestants_alternate_so_that_a_drift_meets_all_of_them() -> None:
    order = [name for _repeat, name in interleaved("AB", 4)]

    assert order == ["A", "B", "B", "A", "A", "B", "B", "A"]


def test_everybody_is_measured_once_in_each_repeat() -> None:
    assert sorted(interleaved("ABC", 2)) == [(repeat, name) for repeat in (0, 1) for name in "ABC"]
