"""F: every fault struck, at the moment it was aimed at. One that did nothing proves nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast_chaos.catalogue import WORKER
from holdfast_chaos.facts import COMMITTED
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.world import GATED, Aim, Deed

if TYPE_CHECKING:
    from holdfast_chaos.facts import Attempt
    from holdfast_chaos.world import FaultRecord, World

ID = "F"
TITLE = "Every fault struck: each victim was replaced, at the moment aimed at"


def check(world: World) -> InvariantResult:
    """Check that no fault is void, and that the ledger saw the steps that were to stand still."""
    tally = Tally(due=len(world.faults))
    for fault in world.faults:
        because = fault.void_because
        tally.check(because is None, f"{fault.id} ({fault.kind}) is void: {because}")
        if because is None and fault.aim in GATED:
            _check_moment(fault, world, tally)
    return tally.result(ID, TITLE)


def _check_moment(fault: FaultRecord, world: World, tally: Tally) -> None:
    """Check by the ledger alone that a step stood where the harness says it did.

    A step that waits to take effect has its row's time already, so the time of an effect tells
    nothing before the commit. That the attempt has no outcome does.
    """
    name = f"{fault.id} ({fault.kind}), aimed {fault.aim.value},"
    # What the clocks of harness and database may differ by counts for the fault.
    clock = timedelta(seconds=world.bounds.clock_seconds)
    tally.check(fault.keys, f"{name} names no step that stood there")
    standing: list[Attempt] = []
    for key in fault.keys:
        begun = [
            attempt
            for attempt in world.ledger.attempts_at.get(key, ())
            if attempt.started_at <= fault.struck_at + clock
        ]
        standing += begun[-1:]
        tally.check(begun, f"{name} struck when nobody had begun {key}")
        over = [
            attempt
            for attempt in begun
            if attempt.outcome == COMMITTED
            and attempt.finished_at is not None
            and attempt.finished_at < fault.struck_at - clock
        ]
        tally.check(not over, f"{name} struck when {key} was over")
        if fault.aim is Aim.BEFORE_RETURN:
            effect = world.ledger.effect.get(key)
            done = effect is not None and effect.committed_at <= fault.struck_at + clock
            tally.check(done, f"{name} struck when {key} had not taken effect")
    if fault.deed is Deed.KILL and WORKER in fault.components:
        died = any(attempt.interrupted for attempt in standing)
        tally.check(died, f"{name} killed none of the steps that stood there")
