"""What a campaign prints can be read on a narrow terminal, and in a log."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console

from holdfast_chaos.campaign import FAULTS, OFTEN_ENOUGH, RUNS, SEEDS, Sum
from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.coverage import KindCovered
from holdfast_cluster.chaos.tables import kinds_table, show_campaign
from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS


def test_every_kind_and_figure_is_whole_in_80_columns() -> None:
    under_way = Counter(dict.fromkeys(PUBLIC_WORKFLOWS, 117))
    kinds = {
        kind: KindCovered(240, 0, under_way, [12.345] * number)
        for number, kind in enumerate(KINDS, 101)
    }
    console = Console(width=80)
    with console.capture() as capture:
        console.print(kinds_table(kinds))

    lines = capture.get().splitlines()
    for number, kind in enumerate(KINDS, 101):
        [line] = [line for line in lines if line.split()[:1] == [kind]]
        counts = ["117"] * len(PUBLIC_WORKFLOWS)
        assert line.split() == [kind, "240", *counts, str(number), "12.345", "12.345"]


def shown(faults: int, met: int) -> str:
    """Return what is shown of a campaign of one kind of fault, most of which met no run."""
    moment = "2026-01-01T12:00:00Z"
    fault = {"kind": "freeze", "struck_at": moment, "void": False}
    late = {"kind": "freeze", "struck_at": "2026-01-01T11:00:00Z", "void": False}
    run = {"workflow": "task_chain", "started_at": moment, "ended_at": None}
    console = Console(width=80)
    total = Sum(
        [
            {
                "verdict": "pass",
                "seed": 1,
                "faults": [*[fault] * met, *[late] * (faults - met)],
                "runs": [run] * SEEDS * RUNS,
                "kinds": {"freeze": KindCovered(faults).as_json()},
                "effects": {"total": 0, "duplicated": 0, "missing": 0},
                "invariants": [],
            }
        ]
    )
    with console.capture() as capture:
        show_campaign(total, Path("campaign"), console)
    return capture.get()


def test_a_campaign_says_whether_it_met_all_that_it_is_to() -> None:
    whole, few = SEEDS * FAULTS, OFTEN_ENOUGH - 1

    enough = shown(whole, OFTEN_ENOUGH)
    assert "coverage: each kind 5 times or more with task_chain under way at once" in enough
    assert enough.split()[-1] == "PASS"

    short = shown(whole, few)
    assert f"coverage: too seldom with task_chain under way at once: freeze {few}" in short
    assert short.split()[-1] == "FAIL"

    smaller = shown(whole - 1, few)
    assert "coverage: not judged, this is no whole campaign" in smaller
    assert smaller.split()[-1] == "PASS"
