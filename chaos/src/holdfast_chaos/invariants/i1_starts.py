"""I1: an acknowledged start is exactly one instance, and it ends."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast_chaos.invariants.result import InvariantResult, Tally

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast_chaos.world import DeclaredRun, World

ID = "I1"
TITLE = "Every acknowledged start is exactly one run, and it ended in time"


def check(world: World) -> InvariantResult:
    """Check each promise against the request rows, the engine's list and the run's end."""
    promised = world.promised()
    tally = Tally(due=len(promised))
    listed = Counter(world.listed)
    requested = Counter(row.instance for row in world.ledger.requests)
    for run in promised:
        name = run.instance
        tally.check(
            requested[name] == 1, f"{name}: {requested[name]} request rows for one accepted start"
        )
        tally.check(listed[name] == 1, f"{name}: the engine lists it {listed[name]} times")
        _check_end(run, world, tally)
    asked = {run.instance for run in world.runs}
    for name in sorted(listed):
        root = name.split(":", 1)[0]
        tally.check(root in asked, f"{name}: the engine runs it, nobody asked for it")
    return tally.result(ID, TITLE)


def _check_end(run: DeclaredRun, world: World, tally: Tally) -> None:
    name = run.instance
    history = world.histories.get(name)
    if history is None:
        tally.check(holds=False, otherwise=f"{name}: accepted, but the engine has no history of it")
        return
    tally.check(
        history.workflow == run.workflow,
        f"{name}: asked for {run.workflow}, the engine ran {history.workflow}",
    )
    if not tally.check(history.terminal, f"{name}: still {history.status} when all was quiet"):
        return
    ended, limit = history.ended_at, deadline(world)
    tally.check(
        ended is not None and (limit is None or ended <= limit),
        f"{name}: ended at {ended}, later than {limit}",
    )
    tally.check(name in world.ledger.closed, f"{name}: ended, but the ledger has not closed it")


def deadline(world: World) -> datetime | None:
    """Return when everything has to be over: the last heal (or start) plus the bound."""
    heals = [fault.healed_at for fault in world.faults if fault.healed_at is not None]
    starts = list(world.observations.accepted_at.values())
    sent = [event.answered_at for event in world.observations.events]
    last = max([*heals, *starts, *sent], default=None)
    return None if last is None else last + timedelta(seconds=world.bounds.terminal_seconds)
