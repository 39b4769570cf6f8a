from __future__ import annotations

import pytest

from holdfast_orchestrator.gateway import EventNotRerunnableError, rekeyed

STEP = {
    "event_id": 1,
    "type": "TASK_SCHEDULED",
    "name": "step2",
    "input": {"key": "old|0|step2|0", "instance": "old", "value": 3, "consumed_events": ["e"]},
}


def test_a_step_that_runs_again_gets_the_new_runs_key_and_keeps_its_payload() -> None:
    assert rekeyed(STEP, "new") == {
        "key": "new|0|step2|0",
        "instance": "new",
        "value": 3,
        "consumed_events": [],
    }


@pytest.mark.parametrize(
    "event",
    [
        None,
        {**STEP, "type": "TIMER_CREATED"},
        {**STEP, "name": "checkpoint", "input": {}},
        {**STEP, "input": None},
    ],
)
def test_only_a_step_that_has_an_effect_can_run_again(event: dict[str, object] | None) -> None:
    with pytest.raises(EventNotRerunnableError):
        rekeyed(event, "new")
