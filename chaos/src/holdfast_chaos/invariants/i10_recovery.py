"""I10: after a fault, every run that it hit goes on, soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast_chaos.facts import COMMITTED
from holdfast_chaos.invariants.result import InvariantResult, Tally

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast_chaos.histories import RunHistory
    from holdfast_chaos.world import FaultRecord, World

ID = "I10"
TITLE = "After every fault each run that it hit took its next effect in time"


@dataclass(frozen=True)
class Recovery:
    """How long after a fault a run took its next effect; none: never.

    Time in which another, later fault had something down does not count.
    """

    fault: str
    run: str
    seconds: float | None


def check(world: World) -> InvariantResult:
    """Check each pair of a fault and a run that had work to do when it struck."""
    found = recoveries(world)
    tally = Tally(due=sum(1 for fault in world.faults if fault.in_flight))
    bound = world.bounds.recovery_seconds
    for recovery in found:
        taken = "never" if recovery.seconds is None else f"after {recovery.seconds:.1f} s"
        tally.check(
            recovery.seconds is not None and recovery.seconds <= bound,
            f"{recovery.run}: took its next effect {taken} after {recovery.fault}, "
            f"bound {bound:.0f} s",
        )
    return tally.result(ID, TITLE)


def recoveries(world: World) -> tuple[Recovery, ...]:
    """Return every fault's recovery of every run that it hit."""
    return tuple(
        Recovery(fault.id, run, _seconds(fault, run, world))
        for fault in world.faults
        for run in fault.in_flight
        if _hit(fault, run, world)
    )


def _hit(fault: FaultRecord, run: str, world: World) -> bool:
    """Tell whether a run had work to do: it had not taken its last effect, and was not waiting."""
    closed = world.ledger.closed.get(run)
    if closed is not None and closed.closed_at <= fault.struck_at and not _late(fault, run, world):
        return False
    history = world.histories.get(run)
    if history is None:
        return True
    over = history.ended_at is not None and history.ended_at <= fault.struck_at
    return not over and not _waiting(history, fault.struck_at)


def _late(fault: FaultRecord, run: str, world: World) -> bool:
    """Tell whether an effect was still on its way: its time is that of its transaction's begin."""
    return any(
        attempt.started_at <= fault.struck_at < attempt.finished_at
        for attempt in world.ledger.attempts_of.get(run, ())
        if attempt.outcome == COMMITTED and attempt.finished_at is not None
    )


def _waiting(history: RunHistory, moment: datetime) -> bool:
    """Tell whether a run stood at a timer or for an event, with no step under way."""
    timers = [
        (created, fired or due) for created, due, fired in history.timers if created <= moment
    ]
    # An event that ends a wait leaves the timer unfired: what follows the event ends it too.
    ends = [event.timestamp for event in history.of_type("EVENT_RAISED")]
    return any(moment < min([end, *(e for e in ends if e > created)]) for created, end in timers)


def _seconds(fault: FaultRecord, run: str, world: World) -> float | None:
    """Measure by effects, and by attempts that committed one: a lost row is I2's finding."""
    commits = [effect.committed_at for effect in world.ledger.effects_of.get(run, ())]
    commits += [
        attempt.finished_at
        for attempt in world.ledger.attempts_of.get(run, ())
        if attempt.outcome == COMMITTED and attempt.finished_at is not None
    ]
    after = [moment for moment in commits if moment > fault.struck_at]
    if not after:
        return None
    until = min(after)
    return (until - fault.struck_at - _down_again(fault, until, world)).total_seconds()


def _down_again(fault: FaultRecord, until: datetime, world: World) -> timedelta:
    """Return for how long later faults had something down before a moment; they don't overlap."""
    down = timedelta(0)
    for other in world.faults:
        if fault.struck_at < other.struck_at < until:
            down += min(other.healed_at or until, until) - other.struck_at
    return down
