"""F: every fault struck, at the moment it was aimed at. One that did nothing proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos.invariants.result import InvariantResult, Tally

if TYPE_CHECKING:
    from holdfast_chaos.world import World

ID = "F"
TITLE = "Every fault struck: each victim was replaced, at the moment aimed at"


def check(world: World) -> InvariantResult:
    """Check that no fault is void."""
    tally = Tally(due=len(world.faults))
    for fault in world.faults:
        because = fault.void_because
        tally.check(because is None, f"{fault.id} ({fault.kind}) is void: {because}")
    return tally.result(ID, TITLE)
