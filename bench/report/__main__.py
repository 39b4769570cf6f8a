"""Write the page, the file and the charts: ``python -m bench.report MEASURED DOCS``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench.report.charts import draw
from bench.report.page import Compared, Verdict, page
from bench.report.statistics import growth, ratio
from bench.report.targets import BOUNDS, IN_FLIGHT, RATIOS
from bench.results import Results

_OURS = "holdfast"
_GROWTH = 1.05


def compare(results: Results) -> list[Compared]:
    """Return every measure of every contestant, with Holdfast's ratio to it."""
    found = []
    for measure in results.measures():
        ours = results.repeats_of(_OURS, measure)
        for name in results.contestants:
            theirs = results.repeats_of(name, measure)
            if theirs:
                compared = name != _OURS and bool(ours) and median(theirs) > 0
                found.append(
                    Compared(
                        name,
                        measure,
                        theirs,
                        median(theirs),
                        ratio(ours, theirs) if compared else None,
                    )
                )
    return found


def judge(results: Results, compared: list[Compared]) -> list[Verdict]:
    """Return for each target what was measured and whether it is met; untaken ones say so."""
    by_name = {(one.contestant, one.measure): one for one in compared}
    sizes = _sizes(results, "fan_out_", "_items_per_s")
    verdicts = []
    for target in RATIOS:
        measure = target.measure
        if measure == "chain_runs_per_s":
            loads = [f"chain_{load}_runs_per_s" for load in IN_FLIGHT]
            measure = next((one for one in loads if (target.contestant, one) in by_name), measure)
        if measure == "fan_out_items_per_s":
            near = [size for size in (1_000, 100) if size in sizes]
            wanted = [f"fan_out_{size}_items_per_s" for size in near]
            measure = next((one for one in wanted if (target.contestant, one) in by_name), measure)
        one = by_name.get((target.contestant, measure))
        found = one.ratio if one else None
        met = None
        if found is not None:
            met = found.value >= target.bound
            if target.side == "at most":
                met = found.value <= target.bound
        verdicts.append(Verdict(target.what, measure, target.side, target.bound, found, None, met))
    verdicts += [_bound(by_name, *bound) for bound in BOUNDS]
    verdicts += _ratios_of_our_own(by_name)
    verdicts += _growths(results, by_name)
    return verdicts


def _growths(results: Results, by_name: dict[tuple[str, str], Compared]) -> Iterator[Verdict]:
    for what, prefix in (("fan-out", "fan_out_"), ("a monitor's polls", "monitor_")):
        sizes = _sizes(results, prefix, "_seconds")
        if len(sizes) > 1:
            seconds = [by_name[_OURS, f"{prefix}{size}_seconds"].median for size in sizes]
            exponent = growth([float(size) for size in sizes], seconds)
            named = f"growth exponent, {what}, {sizes[0]:,} to {sizes[-1]:,}"
            met = exponent <= _GROWTH
            yield Verdict(named, f"{prefix}seconds", "at most", _GROWTH, None, exponent, met)


def _ratios_of_our_own(by_name: dict[tuple[str, str], Compared]) -> list[Verdict]:
    """Compare two measures of Holdfast's own run with each other."""
    told = (
        ("latency of an activity over the floor", "chain_1_p50_ms", "floor_activity_ms", 3, 2.5),
        (
            "status of an ended run against a bare route",
            "status_ended_per_s",
            "flask_bare_per_s",
            1,
            0.8,
        ),
    )
    found = []
    for what, above, below, divisor, bound in told:
        one = by_name.get((_OURS, above))
        other = by_name.get((_OURS, below))
        value = one.median / divisor / other.median if one and other else None
        at_most = below.startswith("floor")
        met = None if value is None else (value <= bound if at_most else value >= bound)
        side = "at most" if at_most else "at least"
        found.append(Verdict(what, above, side, bound, None, value, met))
    return found


def _bound(
    by_name: dict[tuple[str, str], Compared], what: str, measure: str, bound: float
) -> Verdict:
    one = by_name.get((_OURS, measure))
    value = one.median if one else None
    met = None if value is None else value <= bound
    return Verdict(what, measure, "at most", bound, None, value, met)


def _sizes(results: Results, prefix: str, suffix: str) -> list[int]:
    return sorted(
        int(measure.removeprefix(prefix).removesuffix(suffix))
        for measure in results.measures()
        if measure.startswith(prefix)
        and measure.endswith(suffix)
        and results.repeats_of(_OURS, measure)
    )


def as_json(results: Results, compared: list[Compared], verdicts: list[Verdict]) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "began": results.began,
        "quick": results.quick,
        "minutes": results.minutes,
        "machine": results.machine,
        "contestants": results.contestants,
        "failures": results.failures,
        "measures": [one.as_json() for one in compared],
        "targets": [one.as_json() for one in verdicts],
    }


def main(measured: Path, docs: Path) -> None:
    """Write everything."""
    results = Results.read(measured)
    # What belongs to the ground was measured on Holdfast's stack.
    results.samples = [
        type(sample)(_OURS, sample.measure, sample.repeat, sample.value)
        if sample.contestant == "floor"
        else sample
        for sample in results.samples
    ]
    compared = compare(results)
    verdicts = judge(results, compared)
    charts = draw(results, docs / "images")
    told = json.dumps(as_json(results, compared, verdicts), indent=1) + "\n"
    (docs / "benchmarks.json").write_text(told)
    (docs / "benchmarks.md").write_text(page(results, compared, verdicts, charts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
