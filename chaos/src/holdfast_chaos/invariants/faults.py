"""F: every fault struck, at the moment it was aimed at. One that did nothing proves nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast_chaos.catalogue import POSTGRES, WORKER
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.world import GATED, Aim, Deed

if TYPE_CHECKING:
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
    """Check by the ledger that a step stood where the harness says it did.

    A row that waits for the harness has its time already, so the time of an effect says nothing
    of a fault before it, nor that of an outcome of a fault before the return. What a killed
    worker left behind does.
    """
    name = f"{fault.id} ({fault.kind}), aimed {fault.aim.value},"
    # What the clocks of harness and database may differ by counts for the fault.
    by = fault.struck_at + timedelta(seconds=world.bounds.clock_seconds)
    tally.check(fault.keys, f"{name} names no step that stood there")
    died = False
    for key in fault.keys:
        attempts = world.ledger.attempts_at.get(key, ())
        begun = [attempt for attempt in attempts if attempt.started_at <= by]
        # The record of an attempt does not wait for the disk, so it may die with the database.
        if POSTGRES not in fault.components:
            tally.check(begun, f"{name} struck when nobody had begun {key}")
        effect = world.ledger.effect.get(key)
        if fault.aim is Aim.BEFORE_RETURN:
            done = effect is not None and effect.committed_at <= by
            tally.check(done, f"{name} struck when {key} had not taken effect")
        for attempt in begun:
            took_effect = effect is not None and effect.attempt_id == attempt.id
            where = Aim.BEFORE_RETURN if took_effect else Aim.BEFORE_EFFECT
            died = died or (attempt.interrupted and where is fault.aim)
    if fault.deed is Deed.KILL and WORKER in fault.components:
        tally.check(died, f"{name} killed no step where it was to stand")
