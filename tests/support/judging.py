"""Judge runs by the chaos suite's invariants: ledger and history against what was declared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from holdfast_chaos.collect import collect
from holdfast_chaos.engine import EngineReader
from holdfast_chaos.invariants import i2_effects, i3_stories, i4_causality
from holdfast_chaos.observations import Observations, StartSeen
from holdfast_chaos.world import DeclaredRun, FaultRecord, World
from holdfast_local.stack import Stack
from tests.support.stacks import engine_client


def world_of(
    stack: Stack,
    runs: Sequence[DeclaredRun],
    observations: Observations,
    faults: Sequence[FaultRecord] = (),
) -> World:
    """Return all that there is to know of the runs."""
    with engine_client(stack) as client:
        return collect(
            database_url=stack.database_url,
            engine=EngineReader(client),
            runs=runs,
            observations=observations,
            faults=faults,
        )


def judge(stack: Stack, run: str, workflow: str, payload: Any) -> list[str]:
    """Return what is wrong with a run that has ended, by its workflow's declaration in chaos/."""
    now = datetime.now(UTC)
    accepted = StartSeen(run, workflow, now, now, HTTPStatus.ACCEPTED)
    declared = DeclaredRun(run, workflow, payload)
    world = world_of(stack, [declared], Observations(starts=(accepted,)))
    results = [check(world) for check in (i2_effects.check, i3_stories.check, i4_causality.check)]
    assert all(result.facts for result in results)
    # Other runs of the stack are strangers to this world.
    return [wrong for result in results for wrong in result.violations if run in wrong]
