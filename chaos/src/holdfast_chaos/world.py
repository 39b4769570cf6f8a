"""Everything that the checker looks at, in one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from holdfast_chaos.facts import LedgerFacts
from holdfast_chaos.histories import RunHistory
from holdfast_chaos.observations import Observations


@dataclass(frozen=True)
class DeclaredRun:
    """A run that the workload asked for: the model starts from this and from nothing else."""

    instance: str
    workflow: str
    input: Any


class Aim(StrEnum):
    """The moment at which a fault strikes."""

    BEFORE_EFFECT = "before-effect"
    BEFORE_RETURN = "before-return"
    AFTER_START = "after-start"
    AFTER_EVENT = "after-event"
    AFTER_TIMER = "after-timer"
    RANDOM = "random"


#: Moments at which a step is held, so that the fault strikes while it stands there.
GATED = frozenset({Aim.BEFORE_EFFECT, Aim.BEFORE_RETURN})


class Deed(StrEnum):
    """What is done to the components that a fault strikes."""

    #: SIGKILL of all their processes.
    KILL = "kill"
    #: SIGSTOP of all their processes, and SIGCONT after a while.
    FREEZE = "freeze"
    #: Their pods are deleted without grace.
    DELETE = "delete"
    #: Scaled to no pod, and back after a while.
    SCALE = "scale"
    #: Every pod replaced in a rolling update.
    ROLL = "roll"
    #: Nothing gets through between the first component and the others, for a while.
    CUT = "cut"
    #: A node is cordoned and its pods are evicted; it is opened again after a while.
    DRAIN = "drain"


#: Deeds that replace nobody: that they struck is seen while they last.
LASTING = frozenset({Deed.FREEZE, Deed.CUT})

#: "Within 200 ms of an accepted start, event or timer."
CLOSE_BEHIND = timedelta(milliseconds=200)


@dataclass(frozen=True)
class FaultRecord:
    """One fault as it happened. What it was meant to do does not count."""

    id: str
    #: Its name in the catalogue of faults.
    kind: str
    components: tuple[str, ...]
    aim: Aim
    #: The run that was aimed at, and the effect keys that stood at the moment.
    run: str | None
    keys: tuple[str, ...]
    #: When the moment came (an accepted start, a due timer, a worker at the lock); none: never.
    moment_at: datetime | None
    struck_at: datetime
    healed_at: datetime | None
    #: Process ids (or pod UIDs and restart counts) by component.
    before: Mapping[str, str | None]
    after: Mapping[str, str | None]
    in_flight: tuple[str, ...] = ()
    deed: Deed = Deed.KILL
    #: Of a deed that lasts: the components that were seen to be under it and, later, free of it.
    witnessed: tuple[str, ...] = ()
    #: Database sessions of the victims that were ended, so that no blocked statement commits.
    sessions_ended: int = 0

    @property
    def void_because(self) -> str | None:
        """Say why the fault proves nothing, or return none when it struck."""
        return self._missed() or next(filter(None, map(self._unhurt, self.components)), None)

    def _missed(self) -> str | None:
        if not self.components:
            return "it was aimed at nothing"
        if self.moment_at is None:
            return f"the moment {self.aim.value} never came"
        late = self.struck_at - self.moment_at
        close = self.aim in {Aim.AFTER_START, Aim.AFTER_EVENT, Aim.AFTER_TIMER}
        if close and not timedelta(0) <= late <= CLOSE_BEHIND:
            milliseconds = late / timedelta(milliseconds=1)
            return f"struck {milliseconds:.0f} ms after the moment {self.aim.value}, not within 200"
        return None

    def _unhurt(self, component: str) -> str | None:
        before, after = self.before.get(component), self.after.get(component)
        if before is None:
            return f"{component} was not running when it was struck"
        if self.deed in LASTING:
            seen = component in self.witnessed
            return None if seen else f"{component} was not seen to stop and to go on"
        if after is None:
            return f"{component} did not come back"
        return f"{component} is still {before}" if after == before else None

    @property
    def void(self) -> bool:
        """Tell whether the fault changed nothing that it was meant to change."""
        return self.void_because is not None


@dataclass(frozen=True)
class Bounds:
    """How long things may take, in seconds, and how exactly clocks agree."""

    #: From the last heal to the end of the last run.
    terminal_seconds: float = 120.0
    #: From a fault to the next effect of a run that it hit.
    recovery_seconds: float = 60.0
    #: Between the database's clock and the engine's.
    clock_seconds: float = 0.05


@dataclass(frozen=True)
class World:
    """A finished workload: what was declared, and what three witnesses say came of it."""

    runs: tuple[DeclaredRun, ...]
    ledger: LedgerFacts
    #: By instance, children included.
    histories: Mapping[str, RunHistory]
    #: Every instance that the engine lists, as often as it lists it.
    listed: tuple[str, ...]
    observations: Observations
    faults: tuple[FaultRecord, ...] = ()
    #: Names of the jobs that the scheduler still holds; none: it was not asked.
    jobs: tuple[str, ...] | None = None
    #: Legs of the sample batch, as shipped.
    sample: tuple[tuple[str, str], ...] = ()
    bounds: Bounds = field(default_factory=Bounds)

    def of(self, workflow: str) -> tuple[DeclaredRun, ...]:
        """Return the declared runs of a workflow that the API promised."""
        promised = self.observations.accepted_at
        return tuple(r for r in self.runs if r.workflow == workflow and r.instance in promised)

    def promised(self) -> tuple[DeclaredRun, ...]:
        """Return every declared run that the API promised."""
        return tuple(r for r in self.runs if r.instance in self.observations.accepted_at)

    def family(self, instance: str) -> tuple[RunHistory, ...]:
        """Return the histories of a run and of its children."""
        return tuple(
            history
            for name, history in self.histories.items()
            if name == instance or name.startswith(f"{instance}:")
        )
