"""Judge a run by the chaos suite's invariants: ledger and history against what was declared."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from holdfast_chaos.collect import collect
from holdfast_chaos.engine import EngineReader
from holdfast_chaos.invariants import i2_effects, i3_stories, i4_causality
from holdfast_chaos.observations import Observations, StartSeen
from holdfast_chaos.world import DeclaredRun
from holdfast_local.stack import Stack


def judge(stack: Stack, run: str, workflow: str, payload: Any) -> list[str]:
    """Return what is wrong with a run that has ended, by its workflow's declaration in chaos/."""
    now = datetime.now(UTC)
    accepted = StartSeen(run, workflow, now, now, HTTPStatus.ACCEPTED)
    headers = {"dapr-api-token": stack.identity.secrets.app_token}
    with httpx.Client(
        base_url=stack.orchestrator_url, headers=headers, timeout=30, trust_env=False
    ) as client:
        world = collect(
            database_url=stack.database_url,
            engine=EngineReader(client),
            runs=[DeclaredRun(run, workflow, payload)],
            observations=Observations(starts=(accepted,)),
            faults=(),
        )
    results = [check(world) for check in (i2_effects.check, i3_stories.check, i4_causality.check)]
    assert all(result.facts for result in results)
    # Other runs of the stack are strangers to this world.
    return [wrong for result in results for wrong in result.violations if run in wrong]
