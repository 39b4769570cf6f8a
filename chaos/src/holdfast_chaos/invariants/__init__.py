"""The invariants of a workload under faults, as pure functions of a `World`.

Each returns how many facts it compared and what was wrong. They share no verdicts: a broken
promise turns red the invariant that it breaks, and as few others as can be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast_chaos.invariants import (
    faults,
    i1_starts,
    i2_effects,
    i3_stories,
    i4_causality,
    i5_sagas,
    i6_decisions,
    i7_observers,
    i8_monitors,
    i9_quiet,
    i10_recovery,
)
from holdfast_chaos.invariants.result import InvariantResult, Tally

if TYPE_CHECKING:
    from holdfast_chaos.world import World

__all__ = ["ALL", "InvariantResult", "Tally", "check_all"]

ALL: tuple[Callable[[World], InvariantResult], ...] = tuple(
    module.check
    for module in (
        i1_starts,
        i2_effects,
        i3_stories,
        i4_causality,
        i5_sagas,
        i6_decisions,
        i7_observers,
        i8_monitors,
        i9_quiet,
        i10_recovery,
        faults,
    )
)


def check_all(world: World) -> tuple[InvariantResult, ...]:
    """Return the outcome of every invariant."""
    return tuple(check(world) for check in ALL)
