"""Medians, and ratios with the interval that the repeats leave open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

_SEED = 20_240_501
_RESAMPLES = 9_999
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """How many times one is of the other, and between which bounds with 95 % confidence."""

    value: float
    low: float | None
    high: float | None


def ratio(ours: list[float], theirs: list[float]) -> Ratio:
    """Return the ratio of the medians with a bootstrap interval; none for less than two repeats."""

    def of_medians(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.median(one, axis=axis) / np.median(other, axis=axis)

    value = float(np.median(ours) / np.median(theirs))
    if min(len(ours), len(theirs)) < 2:  # noqa: PLR2004 - nothing can be drawn from one
        return Ratio(value, None, None)
    found = stats.bootstrap(
        (ours, theirs),
        of_medians,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    bounds = found.confidence_interval
    return Ratio(value, float(bounds.low), float(bounds.high))


def growth(sizes: list[float], costs: list[float]) -> float:
    """Return the exponent with which a cost grows: the slope in the double-logarithmic plane."""
    return float(stats.linregress(np.log(sizes), np.log(costs)).slope)
