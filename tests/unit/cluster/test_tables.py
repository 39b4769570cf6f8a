"""What a campaign prints can be read on a narrow terminal, and in a log."""

from __future__ import annotations

from collections import Counter

from rich.console import Console

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.coverage import KindCovered
from holdfast_cluster.chaos.tables import kinds_table
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
