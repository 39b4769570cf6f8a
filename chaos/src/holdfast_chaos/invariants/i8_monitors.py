"""I8: a monitor looks without a gap and never before its time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.model.job_status_monitor import poll_number, polls_seen
from holdfast_contracts.job_status_monitor import JOB_STATUS_MONITOR, JobStatusMonitorInput

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast_chaos.world import DeclaredRun, World

ID = "I8"
TITLE = "Monitor polls are contiguous and never early"


def check(world: World) -> InvariantResult:
    """Check the numbers and the times of each monitor's polls."""
    monitors = world.of(JOB_STATUS_MONITOR.name)
    tally = Tally(due=len(monitors))
    for run in monitors:
        numbers = polls_seen(run.instance, world)
        tally.check(
            numbers == tuple(range(len(numbers))), f"{run.instance}: polls {numbers} have a gap"
        )
        history = world.histories.get(run.instance)
        if history is not None and isinstance(history.output, Mapping):
            told = history.output.get("polls")
            tally.check(
                told == len(numbers), f"{run.instance}: {len(numbers)} polls, it tells of {told}"
            )
        begun = _begun(run.instance, world)
        _check_times(run, begun, world, tally)
    return tally.result(ID, TITLE)


def _begun(instance: str, world: World) -> dict[int, datetime]:
    """Return when each poll was first begun."""
    begun: dict[int, datetime] = {}
    for attempt in world.ledger.attempts_of.get(instance, ()):
        number = poll_number(attempt.key)
        if number is not None:
            begun[number] = min(attempt.started_at, begun.get(number, attempt.started_at))
    return begun


def _check_times(run: DeclaredRun, begun: dict[int, datetime], world: World, tally: Tally) -> None:
    interval = JobStatusMonitorInput.model_validate(run.input).poll_interval_seconds
    done = {
        number: effect.committed_at
        for effect in world.ledger.effects_of.get(run.instance, ())
        if (number := poll_number(effect.key)) is not None
    }
    pause = timedelta(seconds=interval - world.bounds.clock_seconds)
    for number in sorted(done):
        after = begun.get(number + 1)
        if after is not None:
            tally.check(
                after - done[number] >= pause,
                f"{run.instance}: poll {number + 1} began {after - done[number]} after poll "
                f"{number}, not {interval} s",
            )
