"""The faults: what each does, to whom, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from holdfast_chaos.targets import Target
from holdfast_chaos.world import Deed

ORCHESTRATOR = "orchestrator"
WORKER = "activity-worker"
STATUS_API = "status-api"
SIDECARS = (f"{ORCHESTRATOR}-sidecar", f"{WORKER}-sidecar")
SCHEDULER = "scheduler"
PLACEMENT = "placement"
SENTRY = "sentry"
OPERATOR = "operator"
INJECTOR = "injector"
POSTGRES = "postgres"

#: Longer than any probe of the pods tolerates to be late, shorter than liveness does.
FROZEN_SECONDS = 30.0
_PAUSED_SECONDS = 8.0
_CUT_SECONDS = 12.0
_AWAY_SECONDS = 3.0


@dataclass(frozen=True)
class FaultKind:
    """One row of the catalogue."""

    name: str
    title: str
    deed: Deed
    #: Whom it may strike; one of them is drawn.
    victims: tuple[tuple[str, ...], ...]
    #: Strikes one pod of each component, and not all of them.
    one: bool = False
    hold_seconds: float = 0.0


KINDS: Mapping[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            "kill-app",
            "SIGKILL of one service's container",
            Deed.KILL,
            ((ORCHESTRATOR,), (WORKER,), (STATUS_API,)),
            one=True,
        ),
        FaultKind(
            "kill-sidecar",
            "SIGKILL of a sidecar alone",
            Deed.KILL,
            tuple((name,) for name in SIDECARS),
            one=True,
        ),
        FaultKind(
            "kill-both",
            "SIGKILL of all orchestrators and all workers at once",
            Deed.KILL,
            ((ORCHESTRATOR, WORKER),),
        ),
        FaultKind(
            "delete-pod",
            "Pod deleted with a grace of 0",
            Deed.DELETE,
            ((ORCHESTRATOR,), (WORKER,)),
            one=True,
        ),
        FaultKind(
            "freeze",
            "SIGSTOP for 30 s, then SIGCONT: the zombie",
            Deed.FREEZE,
            ((ORCHESTRATOR,), (WORKER,)),
            one=True,
            hold_seconds=FROZEN_SECONDS,
        ),
        FaultKind(
            "scale-to-zero",
            "Scaled to 0 and back",
            Deed.SCALE,
            ((ORCHESTRATOR,), (WORKER,), (ORCHESTRATOR, WORKER)),
            hold_seconds=_AWAY_SECONDS,
        ),
        FaultKind(
            "rolling-update",
            "Rolling update of a Deployment",
            Deed.ROLL,
            ((ORCHESTRATOR,), (WORKER,)),
        ),
        FaultKind(
            "kill-scheduler",
            "SIGKILL of one of Dapr's schedulers",
            Deed.KILL,
            ((SCHEDULER,),),
            one=True,
        ),
        FaultKind(
            "kill-schedulers",
            "SIGKILL of all of Dapr's schedulers at once",
            Deed.KILL,
            ((SCHEDULER,),),
        ),
        FaultKind(
            "kill-placement",
            "SIGKILL of Dapr's placement service",
            Deed.KILL,
            ((PLACEMENT,),),
        ),
        FaultKind(
            "delete-scheduler",
            "One of Dapr's schedulers deleted with a grace of 0",
            Deed.DELETE,
            ((SCHEDULER,),),
            one=True,
        ),
        FaultKind(
            "delete-placement",
            "Dapr's placement service deleted with a grace of 0",
            Deed.DELETE,
            ((PLACEMENT,),),
        ),
        FaultKind(
            "restart-control-plane",
            "Sentry, operator and injector deleted, then a pod that needs all three",
            Deed.DELETE,
            ((SENTRY, OPERATOR, INJECTOR, ORCHESTRATOR), (SENTRY, OPERATOR, INJECTOR, WORKER)),
            one=True,
        ),
        FaultKind(
            "kill-postgresql",
            "SIGKILL of PostgreSQL",
            Deed.KILL,
            ((POSTGRES,),),
        ),
        FaultKind(
            "pause-postgresql",
            "SIGSTOP of PostgreSQL for 8 s, then SIGCONT",
            Deed.FREEZE,
            ((POSTGRES,),),
            hold_seconds=_PAUSED_SECONDS,
        ),
        FaultKind(
            "partition",
            "A pod cut off from a peer for 12 s",
            Deed.CUT,
            (
                (WORKER, POSTGRES),
                (WORKER, ORCHESTRATOR),
                (ORCHESTRATOR, SCHEDULER),
                (WORKER, PLACEMENT),
                (STATUS_API, ORCHESTRATOR),
            ),
            one=True,
            hold_seconds=_CUT_SECONDS,
        ),
        FaultKind(
            "drain-node",
            "Node cordoned and drained, and opened again",
            Deed.DRAIN,
            ((ORCHESTRATOR, WORKER),),
        ),
    )
}


def possible(target: Target, kinds: Iterable[FaultKind] = KINDS.values()) -> list[FaultKind]:
    """Return the faults that can be done to a target, each with the victims that it has."""
    there = set(target.components())
    found = []
    for kind in kinds:
        victims = tuple(group for group in kind.victims if there.issuperset(group))
        if kind.deed in target.deeds() and victims:
            found.append(replace(kind, victims=victims))
    return found
