"""Distributions in four numbers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles


def summary(seconds: Sequence[float]) -> dict[str, float | int | None]:
    """Return count, median, 99th percentile and largest of a series."""
    if not seconds:
        return {"count": 0, "p50": None, "p99": None, "max": None}
    ordered = sorted(seconds)
    cuts = quantiles(ordered, n=100, method="inclusive") if len(ordered) > 1 else ordered * 99
    return {
        "count": len(ordered),
        "p50": round(cuts[49], 3),
        "p99": round(cuts[98], 3),
        "max": round(ordered[-1], 3),
    }
