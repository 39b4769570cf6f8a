"""Shrink a failing schedule: the fewest faults, then the fewest runs, that still fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast_chaos.schedule import Schedule, without

Fails = Callable[[Schedule], bool]


def shrink(schedule: Schedule, fails: Fails, *, may_go_on: Callable[[], bool]) -> Schedule:
    """Return the smallest schedule that was seen to fail: first faults are left out, then runs.

    Delta debugging (A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing
    Input", IEEE TSE 28(2), 2002, algorithm ddmin). The schedule itself must fail. Each try plays a
    schedule, so it ends when nothing more can be left out, or when it may not go on.
    """

    def fewer_faults(left_out: Sequence[str]) -> Schedule:
        return without(schedule, faults=left_out)

    faults = [fault.id for fault in schedule.faults]
    kept = _fewest(faults, lambda some: fails(fewer_faults(_rest(faults, some))), may_go_on)
    small = fewer_faults(_rest(faults, kept))
    runs = [run.name for run in small.runs]
    needed = _fewest(runs, lambda some: fails(without(small, runs=_rest(runs, some))), may_go_on)
    return without(small, runs=_rest(runs, needed))


def _fewest(
    items: Sequence[str], fails: Callable[[Sequence[str]], bool], may_go_on: Callable[[], bool]
) -> list[str]:
    """Return a subset that fails and of which no single part can be left out."""
    kept, parts = list(items), 2
    while len(kept) > 1:
        for chunk in _chunks(kept, parts):
            if not may_go_on():
                return kept
            rest = [item for item in kept if item not in chunk]
            if fails(rest):
                kept, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(kept):
                break
            parts = min(len(kept), 2 * parts)
    return kept


def _chunks(items: Sequence[str], parts: int) -> list[list[str]]:
    size = max(1, -(-len(items) // parts))
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _rest(items: Sequence[str], kept: Sequence[str]) -> list[str]:
    return [item for item in items if item not in set(kept)]
