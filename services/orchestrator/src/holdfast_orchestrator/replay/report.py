"""The outcome of a check: a table for people, a document for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast_orchestrator.replay.findings import Kind, Verdict

#: A table's line is read on a terminal; the JSON has the whole of it.
_LONGEST = 160


@dataclass
class Report:
    """Every run that was looked at."""

    verdicts: Sequence[Verdict]
    #: Runs whose history could not be read, and why.
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> list[Verdict]:
        """The runs that do not fit, the worst first."""
        found = [verdict for verdict in self.verdicts if not verdict.fits]
        return sorted(found, key=lambda v: (v.worst.kind.consequence.rank, v.workflow))

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "checked": len(self.verdicts),
            "fit": len(self.verdicts) - len(self.broken),
            "broken": [_document(verdict) for verdict in self.broken],
            "stalled": [
                {"instance_id": verdict.instance_id, "because": verdict.stalled_because}
                for verdict in self.verdicts
                if verdict.stalled_because
            ],
            "unknown": dict(self.unknown),
        }

    def text(self) -> str:
        """Return it as a table, with the way out below."""
        lines = [self._summary()]
        if self.broken:
            rows = [("RUN", "WORKFLOW", "CONSEQUENCE", "REASON")]
            for verdict in self.broken:
                worst = verdict.worst
                more = f" (and {len(verdict.findings) - 1} more)" if verdict.findings[1:] else ""
                flow = f"{verdict.workflow} {verdict.version}".strip()
                row = (verdict.instance_id, flow, worst.kind.consequence.value)
                rows.append((*row, f"{_cut(str(worst))}{more}"))
            lines += ["", *_table(rows), "", "The way out:"]
            kinds = dict.fromkeys(verdict.worst.kind for verdict in self.broken)
            for way, names in _by_way_out(list(kinds)).items():
                lines.append(f"- {', '.join(names)}: {way}")
        for verdict in self.verdicts:
            if verdict.stalled_because:
                lines.append(f"{verdict.instance_id} is stalled now: {verdict.stalled_because}")
        for instance_id, why in self.unknown.items():
            lines.append(f"{instance_id} was not checked: {why}")
        return "\n".join(lines)

    def _summary(self) -> str:
        checked, broken = len(self.verdicts), len(self.broken)
        if not checked and not self.unknown:
            return "No runs are in flight."
        runs = "1 run" if checked == 1 else f"{checked} runs"
        if not broken:
            return f"{runs} in flight: the code of this tree fits."
        return f"{runs} in flight: the code of this tree does not fit {broken} of them."


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "instance_id": verdict.instance_id,
        "workflow": verdict.workflow,
        "version": verdict.version,
        "events": verdict.events,
        "consequence": verdict.worst.kind.consequence.value,
        "findings": [
            {
                "kind": finding.kind.value,
                "step": finding.step,
                "reason": finding.text,
                "way_out": finding.kind.way_out,
            }
            for finding in verdict.findings
        ],
    }


def _by_way_out(kinds: Sequence[Kind]) -> dict[str, list[str]]:
    ways: dict[str, list[str]] = {}
    for kind in kinds:
        ways.setdefault(kind.way_out, []).append(kind.value)
    return ways


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
