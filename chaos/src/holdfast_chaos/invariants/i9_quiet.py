"""I9: when all is quiet, nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.scheduler import RETENTION, is_memory, is_timer

if TYPE_CHECKING:
    from holdfast_chaos.world import World

ID = "I9"
TITLE = "When all is quiet nothing runs on, and the engine's rows belong to known runs"


def check(world: World) -> InvariantResult:
    """Check every instance that the engine lists, and every one that it keeps rows of."""
    promised = world.promised()
    tally = Tally(due=len(promised))
    declared = {run.instance for run in world.runs}
    for instance, history in sorted(world.histories.items()):
        if instance in declared:
            continue  # Its end is I1's business.
        tally.check(history.terminal, f"{instance}: a child that is still {history.status}")
        if history.terminal:
            tally.check(
                instance in world.ledger.closed, f"{instance}: a child that was never closed"
            )
    listed = set(world.listed)
    for instance in sorted(set(world.ledger.engine_rows)):
        tally.check(instance in listed, f"{instance}: rows in the state store, in no list of runs")
    over = {name for name, history in world.histories.items() if history.terminal}
    for job in world.jobs or ():
        instance, reminder = _parts(job)
        # A timer that lost a race may outlive its run by a crash; it fires once, into nothing.
        may_outlive = reminder == RETENTION or is_timer(job)
        tally.check(
            is_memory(job) or (instance in listed and (may_outlive or instance not in over)),
            f"{job}: a job of the scheduler for a run that is over or unknown",
        )
    for closed in world.ledger.closed_runs:
        late = [
            effect.key
            for effect in world.ledger.effects_of.get(closed.instance, ())
            if effect.committed_at > closed.closed_at and effect.key != closed.key
        ]
        tally.check(not late, f"{closed.instance}: effects after it was closed: {late}")
    return tally.result(ID, TITLE)


def _parts(job: str) -> tuple[str, str]:
    """Return run and reminder: ``actorreminder||<ns>||<type>||<run>[::<task>::…]||<reminder>``."""
    parts = job.split("||")
    return (parts[3].split("::")[0], parts[4]) if len(parts) > 4 else (job, "")  # noqa: PLR2004
