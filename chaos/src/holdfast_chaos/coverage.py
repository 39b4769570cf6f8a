"""What was covered: every kind of fault, how often, and what was under way when it struck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast_chaos.statistics import summary
from holdfast_chaos.world import FaultRecord, World

#: A run's workflow, when it began, and when it ended, if it did.
_Span = tuple[str, datetime, datetime | None]


@dataclass
class KindCovered:
    """One kind of fault, in any number of performances."""

    faults: int = 0
    void: int = 0
    #: How often a run of each workflow was under way, by its history.
    under_way: Counter[str] = field(default_factory=Counter)
    #: From each fault to the next effect of each run that it hit, in seconds.
    recoveries: list[float] = field(default_factory=list)
    #: From each fault until all that it struck served again, in seconds.
    heals: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as a certificate has it."""
        return {
            "faults": self.faults,
            "void": self.void,
            "under_way": dict(sorted(self.under_way.items())),
            "recovery_seconds": {**summary(self.recoveries), "all": _rounded(self.recoveries)},
            "heal_seconds": {**summary(self.heals), "all": _rounded(self.heals)},
        }

    def add(self, data: Mapping[str, Any]) -> None:
        """Add what another performance covered, as its certificate has it."""
        self.faults += data["faults"]
        self.void += data["void"]
        self.under_way.update(data["under_way"])
        self.recoveries += data["recovery_seconds"]["all"]
        self.heals += data["heal_seconds"]["all"]


def covered(world: World, recoveries: Mapping[str, Iterable[float]]) -> dict[str, KindCovered]:
    """Return what a workload covered, by kind of fault; ``recoveries`` are by fault."""
    kinds: dict[str, KindCovered] = {}
    for fault in world.faults:
        kind = kinds.setdefault(fault.kind, KindCovered())
        kind.faults += 1
        kind.void += fault.void
        kind.recoveries += recoveries[fault.id]
        if fault.healed_at is not None:
            kind.heals.append((fault.healed_at - fault.struck_at).total_seconds())
        kind.under_way.update(workflows_under_way(fault, world))
    return dict(sorted(kinds.items()))


def workflows_under_way(fault: FaultRecord, world: World) -> frozenset[str]:
    """Return the workflows of which a run had begun and not ended when a fault struck.

    By the engine's histories: what the client thought was under way may just have ended.
    """
    accepted = world.observations.accepted_at
    spans = []
    for run in world.promised():
        history = world.histories.get(run.instance)
        ended_at = history.ended_at if history is not None else None
        spans.append((run.workflow, accepted[run.instance], ended_at))
    return _under_way(spans, fault.struck_at)


def met_together(certificate: Mapping[str, Any], workflows: Collection[str]) -> Counter[str]:
    """Return how many faults of each kind found a run of every one of these workflows under way.

    By what every certificate says of its runs and faults. A void fault met nothing.
    """
    spans = [
        (run["workflow"], datetime.fromisoformat(run["started_at"]), _moment(run["ended_at"]))
        for run in certificate["runs"]
        if run["started_at"] is not None
    ]
    met: Counter[str] = Counter()
    for fault in certificate["faults"]:
        found = _under_way(spans, datetime.fromisoformat(fault["struck_at"]))
        met[fault["kind"]] += not fault["void"] and found.issuperset(workflows)
    return met


def _under_way(spans: Iterable[_Span], moment: datetime) -> frozenset[str]:
    """Return the workflows of which a run had begun and not ended at a moment."""
    return frozenset(
        workflow
        for workflow, begun_at, ended_at in spans
        if begun_at <= moment and (ended_at is None or ended_at > moment)
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _rounded(seconds: Iterable[float]) -> list[float]:
    return [round(one, 3) for one in seconds]
