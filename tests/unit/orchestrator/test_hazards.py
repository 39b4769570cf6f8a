"""Hazards of the SDK that made-up histories can show, and what makes each harmless here."""

from __future__ import annotations

import json
import logging
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
from dapr.ext.workflow._durabletask.worker import _OrchestrationExecutor, _Registry

from holdfast_contracts.core import RESUME, SUSPEND
from tests.unit.orchestrator.drive import Arrival, Drive
from tests.unit.orchestrator.worlds import ChainWorld

LOG = logging.getLogger("hazards")


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
