"""The charts: throughput over runs in flight, and fan-outs."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.results import Results

mpl.use("svg")
# The same figures make the same file.
mpl.rcParams |= {"svg.hashsalt": "holdfast", "svg.fonttype": "none", "font.size": 9}


def draw(results: Results, folder: Path) -> list[str]:
    """Write every chart for which there are figures, and return the files' names."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        "bench-chains.svg": _lines(results, "chain_", "_runs_per_s", "runs in flight", "chains/s"),
        "bench-fan-out.svg": _lines(results, "fan_out_", "_items_per_s", "items", "items/s"),
    }
    for name, figure in drawn.items():
        if figure is not None:
            save(figure, folder / name)
    return [name for name, figure in drawn.items() if figure is not None]


def save(figure: plt.Figure, picture: Path) -> None:
    """Write a figure; the same figures make the same file."""
    figure.savefig(picture, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def _lines(
    results: Results, prefix: str, suffix: str, across: str, upwards: str
) -> plt.Figure | None:
    sizes = sorted(
        int(measure.removeprefix(prefix).removesuffix(suffix))
        for measure in results.measures()
        if measure.startswith(prefix) and measure.endswith(suffix)
    )
    if not sizes:
        return None
    figure, axes = plt.subplots(figsize=(7, 4))
    for name, told in results.contestants.items():
        points = [
            (size, median(values))
            for size in sizes
            if (values := results.repeats_of(name, f"{prefix}{size}{suffix}"))
        ]
        if points:
            ours = name == "holdfast"
            axes.plot(
                *zip(*points, strict=True),
                marker="o",
                linewidth=2.5 if ours else 1.2,
                label=told["title"],
            )
    axes.set(xscale="log", yscale="log", xlabel=across, ylabel=upwards)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
