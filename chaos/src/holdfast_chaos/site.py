"""A running Holdfast with all the ways in that a campaign needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from holdfast_chaos.catalogue import FaultKind
from holdfast_chaos.engine import EngineReader
from holdfast_chaos.growth import Sizes
from holdfast_chaos.injection import FaultPlan
from holdfast_chaos.schedule import ScheduleError
from holdfast_chaos.targets import Target
from holdfast_chaos.world import Bounds, Deed


class Jobs(Protocol):
    """Jobs for monitors to watch."""

    def begin(self, name: str) -> str:
        """Make a job that runs until it is ended; return the ID that a monitor takes."""

    def finish(self, name: str) -> None:
        """Let the job complete."""

    def delete(self, name: str) -> None:
        """Delete the job while it runs."""


@dataclass(frozen=True)
class Site:
    """Where schedules are played."""

    target: Target
    #: The ledger's database, as one who may lock its tables.
    database_url: str
    #: A client of the public API that may do all that the workload does.
    api: httpx.Client
    engine: EngineReader
    jobs: Jobs
    #: Returns the names of the jobs that Dapr's scheduler holds.
    scheduler_jobs: Callable[[], tuple[str, ...]]
    #: The legs of the sample batch.
    sample: tuple[tuple[str, str], ...]
    #: Returns memory and database sizes in bytes, by name.
    sizes: Sizes
    bounds: Bounds = field(default_factory=Bounds)
    #: How long a struck component may take to serve again.
    heal_seconds: float = 60.0
    #: Versions and settings for the certificate.
    about: Mapping[str, str] = field(default_factory=dict)
    #: Puts back what a fault may have left behind.
    put_back: Callable[[], None] = lambda: None
    #: Why some deeds cannot be done here.
    undoable: str = "cannot be done here"
    #: Why some components are not struck, although they are there.
    withheld: Mapping[str, str] = field(default_factory=dict)
    #: Whether it goes on after the suite, so that its console can show what was proved.
    lasts: bool = True

    def why_not(self, deed: Deed, components: Iterable[str]) -> str | None:
        """Say why a deed is not done to these components here; none: it can be."""
        if deed not in self.target.deeds():
            return self.undoable
        there = set(self.target.components())
        missing = [name for name in components if name not in there]
        if not missing:
            return None
        return self.withheld.get(missing[0], f"there is no {missing[0]} here")

    def refused(self, kinds: Iterable[FaultKind]) -> dict[str, str]:
        """Return the kinds of faults that are not done here, each with why."""
        found = {}
        for kind in kinds:
            reasons = [self.why_not(kind.deed, group) for group in kind.victims]
            if all(reason is not None for reason in reasons):
                found[kind.name] = str(reasons[0])
        return found

    def refuse(self, plans: Iterable[FaultPlan]) -> None:
        """Raise ``ScheduleError`` for the first planned fault that is not done here."""
        for plan in plans:
            why = self.why_not(plan.deed, plan.components)
            if why is not None:
                raise ScheduleError(
                    f"{plan.id}, {plan.kind} of {', '.join(plan.components)}, is not done: {why}"
                )
