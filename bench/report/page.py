"""The page: what was measured on what, target by target, table by table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.results import Results


class Interval(Protocol):
    """A ratio and its bounds."""

    @property
    def value(self) -> float:
        """The ratio of the medians."""

    @property
    def low(self) -> float | None:
        """The lower bound, if there were repeats enough."""

    @property
    def high(self) -> float | None:
        """The upper bound."""


@dataclass(frozen=True)
class Compared:
    """One measure of one contestant."""

    contestant: str
    measure: str
    repeats: list[float]
    median: float
    #: Holdfast's median over this one's.
    ratio: Interval | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        bounds = self.ratio and [self.ratio.low, self.ratio.high]
        return {
            "contestant": self.contestant,
            "measure": self.measure,
            "repeats": self.repeats,
            "median": self.median,
            "holdfast_ratio": self.ratio and self.ratio.value,
            "holdfast_ratio_95": bounds,
        }


@dataclass(frozen=True)
class Verdict:
    """A target, and what was found."""

    what: str
    measure: str
    side: str
    bound: float
    ratio: Interval | None
    value: float | None
    met: bool | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        found = self.ratio.value if self.ratio else self.value
        return {
            "target": self.what,
            "measure": self.measure,
            self.side.replace(" ", "_"): self.bound,
            "found": found,
            "met": self.met,
        }


def page(
    results: Results,
    compared: Sequence[Compared],
    verdicts: Sequence[Verdict],
    charts: Sequence[str],
) -> str:
    """Return the page in Markdown."""
    by_name = {(one.contestant, one.measure): one for one in compared}
    parts = [
        _head(results),
        "## Targets\n\n" + _targets(verdicts),
        "## Throughput and latency\n\n" + "".join(f"![{one}](images/{one})\n\n" for one in charts),
        _loads(results, by_name),
        "## CPU\n\nCPU seconds for 1,000 activities, all processes of a contestant, its client and "
        "its database together.\n\n" + _cpu(results, by_name),
        "## Holdfast alone\n\n" + _alone(by_name),
    ]
    if results.failures:
        listed = "\n".join(f"- {_one_line(failure)}" for failure in results.failures)
        parts.append(f"## Not measured\n\n{listed}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _head(results: Results) -> str:
    machine = results.machine
    rows = [
        (told["title"], _listed(told["versions"]), told["durability"])
        for told in results.contestants.values()
    ]
    form = "`make bench QUICK=1`, the quick form" if results.quick else "`make bench`"
    return f"""\
# Benchmarks

Written by {form}, which anybody can repeat; the same for programs is in
[benchmarks.json](benchmarks.json). Begun {results.began}, {results.minutes} minutes.

{machine["processor"]}, {machine["cores"]} cores, {machine["memory_gib"]} GiB, \
{machine["file_system"]}, Linux {machine["kernel"]}, Python {machine["python"]}.
Load average before: {machine["load_before"]}.

Everybody runs on the same machine, one after the other, in the order A B, B A, …; whoever needs
PostgreSQL gets the same server with the same settings. Nobody confirms what is not on the disk:

{_table(("contestant", "versions", "durability"), rows)}

The work: a chain of three steps (+1, ×2, squared), each on the result of the one before; a fan-out
of one step for each item. Clients keep a number of runs in flight and wait for each to end; their
CPU time counts. Holdfast's are clients of its HTTP API: authenticated, validated, committed to the
outbox, the effect of every step committed in the ledger; a step of its fan-out measures a leg and
updates its row. The others' steps compute and do nothing else.

Ratios are Holdfast's median over the other's, with a 95 % bootstrap interval over the repeats."""


def _targets(verdicts: Iterable[Verdict]) -> str:
    words = {True: "met", False: "**missed**", None: "not measured"}
    return _table(
        ("target", "bound", "found", ""),
        [
            (
                one.what,
                f"{one.side} {_number(one.bound)}{'×' if one.ratio else ''}",
                _ratio(one.ratio) if one.ratio else _number(one.value),
                words[one.met],
            )
            for one in verdicts
        ],
    )


def _loads(results: Results, by_name: dict[tuple[str, str], Compared]) -> str:
    wanted = re.compile(r"(chain_\d+_(runs_per_s|p50_ms|p99_ms)|fan_out_\d+_items_per_s)")
    measures = [one for one in results.measures() if wanted.fullmatch(one)]
    return "\n\n".join(
        f"### {_title(measure)}\n\n"
        + _table(
            ("contestant", "median", "lowest – highest", "Holdfast is"),
            [
                (
                    told["title"],
                    _number(one.median),
                    f"{_number(min(one.repeats))} – {_number(max(one.repeats))}",
                    _ratio(one.ratio),
                )
                for name, told in results.contestants.items()
                if (one := by_name.get((name, measure)))
            ],
        )
        for measure in measures
    )


def _cpu(results: Results, by_name: dict[tuple[str, str], Compared]) -> str:
    measures = [one for one in results.measures() if one.endswith("_cpu")]
    head = ("contestant", *(_title(one.removesuffix("_cpu")) for one in measures))
    rows = [
        (told["title"], *(_median(by_name.get((name, one))) for one in measures))
        for name, told in results.contestants.items()
    ]
    load = next((one for one in measures if one.startswith("chain_32")), None)
    each = [
        (one.measure.removeprefix(f"{load}_"), _number(one.median))
        for (name, _), one in by_name.items()
        if load and name == "holdfast" and one.measure.startswith(f"{load}_")
    ]
    return _table(head, rows) + (
        f"\n\nHoldfast's, by process, {_title(str(load).removesuffix('_cpu'))}:\n\n"
        + _table(("process", "CPU s"), each)
        if each
        else ""
    )


def _alone(by_name: dict[tuple[str, str], Compared]) -> str:
    loads = ("chain_", "fan_out_")
    return _table(
        ("measure", "contestant", "median"),
        [
            (f"`{one.measure}`", one.contestant, _number(one.median))
            for one in by_name.values()
            if not one.measure.startswith(loads)
        ],
    )


def _title(measure: str) -> str:
    words = measure.replace("_per_s", "/s").replace("_ms", ", ms").split("_")
    return " ".join(words).replace("fan out", "fan-out of").replace("chain ", "chains in flight: ")


def _median(one: Compared | None) -> str:
    return _number(one.median) if one else "–"


def _ratio(ratio: Interval | None) -> str:
    if ratio is None:
        return "–"
    bounds = ""
    if ratio.low is not None and ratio.high is not None:
        bounds = f" ({_number(ratio.low)} – {_number(ratio.high)})"
    return f"{_number(ratio.value)}×{bounds}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
