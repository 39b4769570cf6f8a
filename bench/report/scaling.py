"""The chart of docs/scaling.md: ``python -m bench.report.scaling PICTURE < DATA``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from bench.report import charts

#: Parts that cost less than this share are drawn as one.
_SMALL = 0.02


def draw(told: dict[str, Any], picture: Path) -> None:
    """Draw throughput by pods, measured and predicted, and where an activity's CPU goes."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.6), width_ratios=(3, 2), layout="constrained"
    )
    places = list(range(len(told["deployments"])))
    left.bar(places, told["median"], width=0.6, color="#b9d3ee", label="measured, median")
    for place, repeats in zip(places, told["measured"], strict=True):
        left.plot([place] * len(repeats), repeats, "o", color="#27496d", markersize=4)
    left.plot(places, told["predicted"], "D", color="#c1440e", label="predicted without it")
    left.set_xticks(places, told["deployments"])
    left.set(xlabel="orchestrators + workers", ylabel="chains/s", ylim=(0, None))
    left.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    costs = told["milliseconds"]
    small = _SMALL * sum(costs.values())
    shown = {name: cost for name, cost in costs.items() if cost >= small}
    rest = sum(costs.values()) - sum(shown.values())
    named = sorted([*shown.items(), ("others", rest)], key=lambda item: item[1])
    right.barh([name for name, _ in named], [cost for _, cost in named], color="#7a9e7e")
    right.set(xlabel="ms of CPU for an activity")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    charts.save(figure, picture)


if __name__ == "__main__":
    draw(json.load(sys.stdin), Path(sys.argv[1]))
