"""Hazards of the SDK that made-up histories can show, and what makes each harmless here."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
from dapr.ext.workflow._durabletask.internal import timer
from dapr.ext.workflow._durabletask.worker import _OrchestrationExecutor, _Registry

from holdfast_contracts.core import RESUME, SUSPEND
from holdfast_orchestrator.executor import Executor
from tests.unit.orchestrator.drive import Arrival, Drive
from tests.unit.orchestrator.worlds import ChainWorld

LOG = logging.getLogger("hazards")
NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - the SDK takes naive times


def two_steps(ctx: Any, _input: Any) -> Any:
    yield ctx.call_activity("a", input=1)
    yield ctx.call_activity("b", input=2)


def execute(old: list[Any], new: list[Any]) -> list[Any]:
    registry = _Registry()
    registry.add_named_orchestrator("two_steps", two_steps)
    return list(_OrchestrationExecutor(registry, LOG).execute("i", old, new).actions)


def test_the_engines_own_suspension_schedules_a_pending_action_twice() -> None:
    # The suspension arrives in the turn in which step a completes: b is scheduled.
    history = [
        make.new_workflow_started_event(),
        make.new_execution_started_event("two_steps", "i", "null"),
        make.new_task_scheduled_event(1, "a"),
    ]
    turn = [
        make.new_workflow_started_event(),
        make.new_task_completed_event(1, "1"),
        make.new_suspend_event(),
    ]
    assert [a.scheduleTask.name for a in execute(history, turn)] == ["b"]
    # Its history event is held back while the run is suspended, so that every wake-up in that
    # time schedules b once more.
    history += [*turn, make.new_task_scheduled_event(2, "b")]
    wake = [make.new_workflow_started_event(), make.new_event_raised_event("other")]
    assert [a.scheduleTask.name for a in execute(history, wake)] == ["b"]
    # And a history that has it twice cannot be replayed after the resume.
    history += [*wake, make.new_task_scheduled_event(2, "b")]
    resumed = execute(history, [make.new_workflow_started_event(), make.new_resume_event()])
    assert resumed[0].completeWorkflow.workflowStatus == pb.ORCHESTRATION_STATUS_FAILED
    assert resumed[0].completeWorkflow.failureDetails.errorType == "NonDeterminismError"


def test_our_suspension_is_a_gate_and_schedules_nothing_twice() -> None:
    for after in range(3):
        arrivals = [
            Arrival(SUSPEND, {"reason": ""}, "s", after=after),
            Arrival(RESUME, {"reason": ""}, "r", after=after + 1),
        ]
        drive = Drive("task_chain", 1, ChainWorld(), arrivals=arrivals, copies=2)
        assert drive.output() == [2, 4, 16]
        assert drive.steps() == ["step1", "step2", "step3"]
        drive.replay_every_prefix()


def test_a_new_waiter_in_each_loop_swallows_the_next_event_but_a_poll_leaves_no_waiter() -> None:
    def leaves_waiters(ctx: Any, _input: Any) -> Any:
        ctx.wait_for_external_event("e")
        ctx.wait_for_external_event("e")
        return (yield ctx.wait_for_external_event("e"))

    registry = _Registry()
    registry.add_named_orchestrator("leaves_waiters", leaves_waiters)
    start = [
        make.new_workflow_started_event(),
        make.new_execution_started_event("leaves_waiters", "i", "null"),
        make.new_event_raised_event("e", json.dumps({"n": 1})),
    ]
    actions = _OrchestrationExecutor(registry, LOG).execute("i", [], start).actions
    assert not any(a.HasField("completeWorkflow") for a in actions)  # swallowed

    # Three steps poll for a suspension before it comes; it is not lost on any of them.
    arrivals = [
        Arrival(SUSPEND, {"reason": ""}, "s", after=2),
        Arrival(RESUME, {"reason": ""}, "r", after=2),
    ]
    drive = Drive("task_chain", 1, ChainWorld(), arrivals=arrivals)
    drive.run()
    assert [name for name, _ in drive.commands].count("checkpoint") == 1


def asleep(ctx: Any, _input: Any) -> Any:
    yield ctx.create_timer(timedelta(seconds=1))
    answer = yield ctx.call_activity("checkpoint")
    told.append(answer)
    yield ctx.call_activity("b")


told: list[Any] = []

#: The turn of the timer was lost after its step had been dispatched: the answer is there first.
SLEPT = [
    make.new_workflow_started_event(),
    make.new_execution_started_event("asleep", "i", "null"),
    timer.new_timer_created_event(1, NOON),
]
LATE_TURN = [
    make.new_workflow_started_event(),
    make.new_task_completed_event(2, '{"early": false}'),
    timer.new_timer_fired_event(1, NOON),
]


def turn(executor: type[_OrchestrationExecutor], old: list[Any], new: list[Any]) -> list[str]:
    registry = _Registry()
    registry.add_named_orchestrator("asleep", asleep)
    told.clear()
    actions = executor(registry, LOG).execute("i", old, new).actions
    return [action.scheduleTask.name for action in actions]


def test_13_the_sdk_drops_an_answer_that_comes_before_its_question() -> None:
    # The engine does not dispatch the checkpoint again, for it is answered.
    assert turn(_OrchestrationExecutor, SLEPT, LATE_TURN) == ["checkpoint"]
    assert told == []


def test_13_we_take_it_when_the_question_is_asked_and_replay_does_the_same() -> None:
    assert turn(Executor, SLEPT, LATE_TURN) == ["checkpoint", "b"]
    assert told == [{"early": True}]
    # As the engine saves the turn, the question comes after all that the turn took in.
    history = [
        *SLEPT,
        *LATE_TURN,
        make.new_task_scheduled_event(2, "checkpoint"),
        make.new_task_scheduled_event(3, "b"),
    ]
    wake = [make.new_workflow_started_event(), make.new_event_raised_event("other")]
    assert turn(Executor, history, wake) == []
    assert told == [{"early": True}]


def test_13_a_last_step_that_is_answered_early_is_written_down_before_the_end() -> None:
    answers = [make.new_task_completed_event(number, "{}") for number in (2, 3)]
    late_turn = [LATE_TURN[0], *answers, LATE_TURN[-1]]
    # With the SDK alone the run would not end here at all.
    registry = _Registry()
    registry.add_named_orchestrator("asleep", asleep)
    actions = Executor(registry, LOG).execute("i", SLEPT, late_turn).actions

    kinds = [action.WhichOneof("workflowActionType") for action in actions]
    assert kinds == ["scheduleTask", "scheduleTask", "completeWorkflow"]
    assert [(action.id, action.scheduleTask.name) for action in actions[:2]] == [
        (2, "checkpoint"),
        (3, "b"),
    ]


def test_13_a_run_that_goes_on_as_new_takes_no_step_of_before_with_it() -> None:
    def again(ctx: Any, _input: Any) -> Any:
        yield ctx.create_timer(timedelta(seconds=1))
        yield ctx.call_activity("checkpoint")
        ctx.continue_as_new("x")

    registry = _Registry()
    registry.add_named_orchestrator("asleep", again)
    actions = Executor(registry, LOG).execute("i", SLEPT, LATE_TURN).actions
    assert [action.WhichOneof("workflowActionType") for action in actions] == ["completeWorkflow"]


def test_13_a_run_that_stands_still_goes_on_when_it_is_woken() -> None:
    # Its turn was run by the SDK alone, and nothing came after it.
    history = [*SLEPT, *LATE_TURN, make.new_task_scheduled_event(2, "checkpoint")]
    wake = [make.new_workflow_started_event(), make.new_event_raised_event("wake")]
    assert turn(_OrchestrationExecutor, history, wake) == []
    assert turn(Executor, history, wake) == ["b"]


def test_13_an_answer_in_its_place_stays_as_it_is() -> None:
    history = [*SLEPT, make.new_workflow_started_event(), timer.new_timer_fired_event(1, NOON)]
    history.append(make.new_task_scheduled_event(2, "checkpoint"))
    answer = [make.new_workflow_started_event(), make.new_task_completed_event(2, "{}")]
    assert turn(Executor, history, answer) == ["b"]
    assert told == [{}]
