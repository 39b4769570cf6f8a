"""The demo's plan, for whatever seed it is given."""

from __future__ import annotations

from collections import Counter

import pytest

from holdfast_contracts.batch_processing import BATCH_PROCESSING
from holdfast_local.demo_plan import FEWEST_LEGS, Scene, make_plan

SAMPLE = [(f"A{number:04}", f"B{number:04}") for number in range(3000)]
JOB = "http://127.0.0.1:1/status"


@pytest.mark.parametrize("seed", range(300))
def test_every_seed_gives_a_plan_of_five_kills_with_a_chain_a_saga_and_the_batch(seed: int) -> None:
    plan = make_plan(seed, JOB, SAMPLE)

    scenes = [act.scene for act in plan.acts]
    assert len(set(scenes)) == 5
    assert {Scene.CHAIN, Scene.TRIP, Scene.BATCH} < set(scenes)
    assert len(plan.legs) >= FEWEST_LEGS
    [batch] = [act.run for act in plan.acts if act.scene is Scene.BATCH]
    assert (batch.workflow, batch.input) == (BATCH_PROCESSING.name, {"batch_id": plan.batch_id})


def test_same_seed_gives_the_same_plan_and_others_differ() -> None:
    assert make_plan(7, JOB, SAMPLE) == make_plan(7, JOB, SAMPLE)
    orders = Counter(
        tuple(act.scene for act in make_plan(seed, JOB, SAMPLE).acts) for seed in range(40)
    )
    assert len(orders) > 10
