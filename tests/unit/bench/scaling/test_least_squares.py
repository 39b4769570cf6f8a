"""Known weights are found again, and none is below zero."""

from __future__ import annotations

import pytest

from bench.scaling.least_squares import SingularError, fit

NAMES = ("a", "b", "c")


def test_known_weights_are_found_from_exact_figures() -> None:
    rows = [(1, 0, 0), (1, 4, 12), (2, 9, 27), (1, 1, 66), (3, 2, 132)]

    found = fit(rows, [0.5 * a + 0.25 * b + 0.125 * c for a, b, c in rows], NAMES)

    assert found == pytest.approx((0.5, 0.25, 0.125))


def test_columns_of_very_different_size_do_not_lose_the_small_one() -> None:
    rows = [(1, 1e6), (2, 3e6), (5, 1e6)]

    found = fit(rows, [1e-3 * a + 1e-9 * b for a, b in rows], NAMES[:2])

    assert found == pytest.approx((1e-3, 1e-9))


def test_errors_around_the_truth_cancel_out() -> None:
    rows = [(1.0,), (1.0,), (2.0,), (2.0,)]

    assert fit(rows, [2.9, 3.1, 5.8, 6.2], NAMES[:1]) == pytest.approx((3.0,))


def test_weight_that_would_be_below_zero_is_zero_and_the_others_make_up_for_it() -> None:
    rows = [(1, 0), (1, 1), (1, 2)]

    assert fit(rows, [3.0, 2.0, 1.0], NAMES[:2]) == pytest.approx((2.0, 0.0))


def test_columns_that_go_together_are_told_and_not_guessed() -> None:
    rows = [(1, 1, 3), (1, 2, 6), (1, 5, 15)]

    with pytest.raises(SingularError, match="c cannot be told from"):
        fit(rows, [1.0, 2.0, 3.0], NAMES)


def test_column_without_anything_in_it_is_told() -> None:
    with pytest.raises(SingularError, match="nothing was measured with b"):
        fit([(1, 0), (2, 0)], [1.0, 2.0], NAMES[:2])
