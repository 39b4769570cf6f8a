"""What was covered: every kind of fault, how often, and what was under way when it struck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast_chaos.statistics import summary
from holdfast_chaos.world import FaultRecord, World


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
    found = set()
    for run in world.promised():
        history = world.histories.get(run.instance)
        ended_at = history.ended_at if history is not None else None
        over = ended_at is not None and ended_at <= fault.struck_at
        if accepted[run.instance] <= fault.struck_at and not over:
            found.add(run.workflow)
    return frozenset(found)


def met_together(certificate: Mapping[str, Any], workflows: Collection[str]) -> Counter[str]:
    """Return how many faults of each kind found a run of every one of these workflows under way.

    By what every certificate says of its runs and faults. A void fault met nothing.
    """
    runs = [
        (run["workflow"], _moment(run["started_at"]), _moment(run["ended_at"]))
        for run in certificate["runs"]
    ]
    met: Counter[str] = Counter()
    for fault in certificate["faults"]:
        struck_at = datetime.fromisoformat(fault["struck_at"])
        found = {
            workflow
            for workflow, begun_at, ended_at in runs
            if begun_at is not None
            and begun_at <= struck_at
            and (ended_at is None or ended_at > struck_at)
        }
        met[fault["kind"]] += not fault["void"] and found.issuperset(workflows)
    return met


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _rounded(seconds: Iterable[float]) -> list[float]:
    return [round(one, 3) for one in seconds]
