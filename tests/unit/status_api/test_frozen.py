"""What is frozen, and what only waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast_status_api.frozen import Case, Frozen, Instance, Reason, diagnose, keys_of
from holdfast_status_api.states import State
from holdfast_status_api.why import Kind, explain
from tests.unit.status_api.test_why import event, facts, run

NOON = datetime(2031, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=2)
KEY = "run-1|0|step1|0"


def at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


STARTED = event("EXECUTION_STARTED", name="task_chain")
STEP = event("TASK_SCHEDULED", 1, name="step1", app_id="activity-worker", input={"key": KEY})
TIMER = event("TIMER_CREATED", 2, fire_at=at(10))
WAIT = event("TIMER_CREATED", 3, fire_at=at(60), event="human_approval")
CHILD = event("CHILD_WORKFLOW_INSTANCE_CREATED", 4, instance_id="run-1:0:0", name="batch_chunk")


def case(*history: dict[str, Any], after: float = 5, **fields: Any) -> Case:
    """A case some minutes after the last thing that happened."""
    children = fields.pop("children", ())
    instance = fields.pop(
        "instance", Instance("run-1", "RUNNING", (STARTED, *history), children=children)
    )
    of = fields.pop("run", run())
    return Case(of, instance, NOON + timedelta(minutes=after), GRACE, **fields)


def found(examined: Case) -> Frozen:
    frozen = diagnose(examined)
    assert frozen is not None
    return frozen


def test_a_step_that_nobody_was_given_is_frozen_when_a_worker_is_there() -> None:
    frozen = found(case(STEP))
    assert (frozen.reason, frozen.since) == (Reason.NOT_DISPATCHED, NOON)
    assert "step1" in frozen.sentence
    assert frozen.command(run()) == "holdfast wf repair run-1"


@pytest.mark.parametrize(
    "examined",
    [
        case(STEP, after=1),
        case(STEP, connected=False),
        case(STEP, under_way=[KEY]),
        case(STEP, tried_at={KEY: NOON + timedelta(minutes=4)}),
        case(TIMER),
        case(TIMER, after=11),
        case(WAIT),
        case(STEP, run=run(State.COMPLETED)),
        case(STEP, run=run(dispatched=False)),
        case(instance=Instance("run-1", "COMPLETED", (STARTED,))),
        case(instance=Instance("run-1", "STALLED", (STARTED,))),
        case(CHILD, children=[Instance("run-1:0:0", "RUNNING", (STARTED, TIMER))]),
    ],
)
def test_what_is_under_way_or_due_or_held_up_is_not_frozen(examined: Case) -> None:
    assert diagnose(examined) is None


def test_a_step_whose_worker_died_is_frozen_when_no_other_takes_over() -> None:
    assert found(case(STEP, tried_at={KEY: NOON})).reason is Reason.NOT_DISPATCHED


@pytest.mark.parametrize("timer", [TIMER, {**WAIT, "fire_at": at(10)}])
def test_a_timer_that_is_past_has_frozen_its_run(timer: dict[str, Any]) -> None:
    frozen = found(case(timer, after=13))
    assert (frozen.reason, frozen.since) == (Reason.TIMER_OVERDUE, NOON + timedelta(minutes=10))


def test_a_timer_has_fired_if_it_was_for_its_time_wherever_that_is_written() -> None:
    other = event("TIMER_FIRED", timer_id=2, fire_at=at(1))
    own = event("TIMER_FIRED", timer_id=2, fire_at=at(10))
    for history in ([other, TIMER], [TIMER, other]):
        assert found(case(*history, after=13)).reason is Reason.TIMER_OVERDUE
    for history in ([own, TIMER], [TIMER, own]):
        assert found(case(*history, after=13)).reason is Reason.TURN_LOST


def test_a_run_that_waits_for_nothing_and_takes_no_turn_is_frozen() -> None:
    done = event("TASK_COMPLETED", task_scheduled_id=1)
    assert found(case(STEP, done)).reason is Reason.TURN_LOST


def test_a_run_that_never_began_is_frozen() -> None:
    assert found(case(instance=Instance("run-1", "PENDING"))).reason is Reason.NEVER_BEGAN


def test_what_was_scheduled_before_the_scheduler_forgot_it_is_frozen_at_once() -> None:
    forgot_at = NOON + timedelta(minutes=1)
    frozen = found(case(WAIT, after=1.1, forgot_at=forgot_at))
    assert (frozen.reason, frozen.since) == (Reason.FORGOTTEN, forgot_at)
    # Made again, or made since then: it is not lost.
    again = {**WAIT, "timestamp": at(2)}
    assert diagnose(case(WAIT, again, after=2, forgot_at=forgot_at)) is None
    assert diagnose(case(again, after=2, forgot_at=forgot_at)) is None
    # An attempt that runs now will answer.
    assert diagnose(case(STEP, after=1.1, forgot_at=forgot_at, under_way=[KEY])) is None


def test_a_turn_that_was_due_when_the_scheduler_forgot_it_is_frozen() -> None:
    done = event("TASK_COMPLETED", task_scheduled_id=1)
    forgot_at = NOON + timedelta(minutes=1)
    assert found(case(STEP, done, after=1.1, forgot_at=forgot_at)).reason is Reason.FORGOTTEN


def test_a_child_that_froze_is_named_as_what_froze_its_parent() -> None:
    step = {**STEP, "input": {"key": "run-1|0|process_work_item|7"}}
    child = Instance("run-1:0:0", "RUNNING", (STARTED, step))
    examined = case(CHILD, children=[child])
    frozen = found(examined)
    assert (frozen.reason, frozen.instance_id) == (Reason.NOT_DISPATCHED, "run-1:0:0")
    assert "its child run-1:0:0" in frozen.sentence
    assert keys_of(examined.instance) == ["run-1|0|process_work_item|7"]


@pytest.mark.parametrize("status", ["COMPLETED", None])
def test_a_child_that_has_ended_without_its_parents_knowledge_froze_it(status: str | None) -> None:
    frozen = found(case(CHILD, children=[Instance("run-1:0:0", status)]))
    assert (frozen.reason, frozen.instance_id) == (Reason.ANSWER_LOST, "run-1:0:0")
    assert diagnose(case(CHILD, after=1, children=[Instance("run-1:0:0", status)])) is None


def test_a_state_that_cannot_be_loaded_is_frozen_also_a_childs() -> None:
    broken = Instance("run-1", unreadable="inbox key 'inbox-000000' declared in metadata")
    frozen = found(case(instance=broken, connected=False))
    assert (frozen.reason, frozen.repairable) == (Reason.UNREADABLE, True)
    assert "inbox-000000" in frozen.sentence
    # For a moment a state can look like that while it is saved.
    assert diagnose(case(instance=broken, after=1)) is None
    child = Instance("run-1:0:0", unreadable="inbox key …")
    assert found(case(CHILD, children=[child])).instance_id == "run-1:0:0"


def test_a_run_that_the_engine_does_not_have_is_missing_or_has_ended() -> None:
    gone = Instance("run-1")
    assert found(case(instance=gone)).reason is Reason.MISSING
    assert diagnose(case(instance=gone, after=1)) is None
    assert found(case(instance=gone, closed=True)).reason is Reason.ENDED
    cancelled = found(case(instance=gone, cancelled=True))
    assert (cancelled.repairable, cancelled.command(run())) == (
        False,
        "holdfast wf terminate run-1",
    )


def test_why_says_that_a_run_is_frozen_and_what_frees_it() -> None:
    frozen = found(case(STEP))
    told = explain(facts(STARTED, STEP, frozen=frozen))
    assert told.sentence == f"It is frozen. {frozen.sentence}"
    assert [cause.kind for cause in told.waits_for] == [Kind.FROZEN, Kind.ACTIVITY]
    assert told.waits_for[0].detail == "not_dispatched"
    assert told.commands == ("holdfast wf repair run-1",)


def test_a_step_that_was_dispatched_again_is_told_of_once() -> None:
    again = {**STEP, "timestamp": at(2)}
    told = explain(facts(STARTED, STEP, again))
    assert [cause.since for cause in told.waits_for] == [NOON + timedelta(minutes=2)]
