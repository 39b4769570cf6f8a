"""The page and the file say what was measured, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.report.page import Compared, Verdict, page
from bench.results import Results

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "memory_gib": 8.0,
    "file_system": "ext4",
    "kernel": "6.1",
    "python": "3.11.2",
    "load_before": 0.1,
}


@dataclass(frozen=True)
class Twice:
    value: float = 2.0
    low: float | None = 1.5
    high: float | None = 2.5


def results() -> Results:
    found = Results(quick=True, began="2026-01-02T03:04+00:00", machine=dict(MACHINE))
    for name, title in (("holdfast", "Holdfast"), ("other", "The other")):
        found.contestants[name] = {"title": title, "versions": {"X": "1"}, "durability": "fsync"}
    found.add("holdfast", 0, {"chain_32_runs_per_s": 20.0})
    found.add("holdfast", 1, {"chain_32_runs_per_s": 40.0})
    found.add("other", 0, {"chain_32_runs_per_s": 15.0})
    found.failures.append("other: fan-out of 100: it\nended")
    return found


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results().write(tmp_path / "measured.json")

    assert Results.read(tmp_path / "measured.json") == results()


def test_the_page_shows_median_range_ratio_and_interval() -> None:
    compared = [
        Compared("holdfast", "chain_32_runs_per_s", [20.0, 40.0], 30.0, None),
        Compared("other", "chain_32_runs_per_s", [15.0], 15.0, Twice()),
    ]

    text = page(results(), compared, [], [])

    assert "| Holdfast | 30 | 20 – 40 | – |" in text
    assert "| The other | 15 | 15 – 15 | 2× (1.5 – 2.5) |" in text


def test_the_page_says_of_each_target_whether_it_is_met() -> None:
    verdicts = [
        Verdict("faster", "a", "at least", 3, Twice(), None, met=False),
        Verdict("smaller", "b", "at most", 1, None, 0.5, met=True),
        Verdict("later", "c", "at most", 1, None, None, met=None),
    ]

    text = page(results(), [], verdicts, [])

    assert "| faster | at least 3× | 2× (1.5 – 2.5) | **missed** |" in text
    assert "| smaller | at most 1 | 0.5 | met |" in text
    assert "| later | at most 1 | – | not measured |" in text


def test_the_page_names_what_failed() -> None:
    assert "- other: fan-out of 100: it ended" in page(results(), [], [], [])


def test_the_page_says_when_it_is_from_the_quick_form() -> None:
    assert "the quick form" in page(results(), [], [], [])
