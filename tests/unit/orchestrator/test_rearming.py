"""A run that is re-armed dispatches again what it waits for, and nothing else."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timedelta
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest
from dapr.ext.workflow._durabletask.internal import timer
from dapr.ext.workflow._durabletask.worker import _Registry

from holdfast_orchestrator.executor import Executor
from holdfast_orchestrator.ordering import REARM_EVENT, Rearming
from tests.support.clone import ROOT
from tests.unit.orchestrator.drive import EPOCH, Drive, Worker
from tests.unit.orchestrator.worlds import BatchWorld, ChainWorld

LOG = logging.getLogger("rearming")
LATER = EPOCH + timedelta(hours=1)


def two_of_each(ctx: Any, _input: Any) -> Any:
    first = ctx.call_activity("a", input=1, app_id="worker")
    child = ctx.call_child_workflow("child", instance_id="i:0:0")
    wait = ctx.wait_for_external_event("e", timeout=LATER)
    sleep = ctx.create_timer(LATER)
    told = yield first
    yield wait
    yield sleep
    yield child
    yield ctx.call_activity("b", input=told)


def execute(old: list[Any], new: list[Any]) -> list[Any]:
    registry = _Registry()
    registry.add_named_orchestrator("two_of_each", _with_children(two_of_each))
    turn = [make.new_workflow_started_event(EPOCH), *new]
    return list(Executor(registry, LOG).execute("i", old, turn).actions)


def _with_children(workflow: Any) -> Any:
    """Give the SDK's bare context the names of Dapr's."""

    def run(ctx: Any, given: Any) -> Any:
        ctx.call_child_workflow = ctx.call_sub_orchestrator
        return workflow(ctx, given)

    return run


def begun() -> list[Any]:
    """The history of a run that waits for all of it."""
    start = [
        make.new_workflow_started_event(EPOCH),
        make.new_execution_started_event("two_of_each", "i", "null"),
    ]
    registry = _Registry()
    registry.add_named_orchestrator("two_of_each", _with_children(two_of_each))
    return [*start, *map(written, Executor(registry, LOG).execute("i", [], start).actions)]


def written(action: Any) -> Any:
    """Return the event by which the engine writes an action down."""
    event = pb.HistoryEvent(eventId=action.id)
    event.router.CopyFrom(action.router)
    match action.WhichOneof("workflowActionType"):
        case "scheduleTask":
            task = action.scheduleTask
            event.taskScheduled.CopyFrom(pb.TaskScheduledEvent(name=task.name, input=task.input))
        case "createTimer":
            due = action.createTimer
            event.timerCreated.CopyFrom(pb.TimerCreatedEvent(fireAt=due.fireAt))
            if due.HasField("externalEvent"):
                event.timerCreated.externalEvent.CopyFrom(due.externalEvent)
        case _:
            child = action.createChildWorkflow
            event.childWorkflowInstanceCreated.CopyFrom(
                pb.ChildWorkflowInstanceCreatedEvent(name=child.name, instanceId=child.instanceId)
            )
    return event


def rearm(*children: str) -> Any:
    data = Rearming(children=frozenset(children)).model_dump_json()
    return make.new_event_raised_event(REARM_EVENT, data)


def kinds(actions: list[Any]) -> list[str]:
    return [str(action.WhichOneof("workflowActionType")) for action in actions]


def test_everything_that_is_open_is_made_again_as_it_was() -> None:
    history = begun()
    actions = execute(history, [rearm("i:0:0")])
    assert kinds(actions) == ["scheduleTask", "createChildWorkflow", "createTimer", "createTimer"]
    task, child, wait, sleep = actions
    assert (task.id, task.scheduleTask.name, task.scheduleTask.input.value) == (1, "a", "1")
    assert task.router.targetAppID == "worker"
    assert (child.id, child.createChildWorkflow.instanceId) == (2, "i:0:0")
    assert (wait.id, wait.createTimer.externalEvent.name) == (3, "e")
    assert [each.createTimer.fireAt.ToDatetime() for each in (wait, sleep)] == [LATER, LATER]


def test_a_child_that_runs_is_not_made_again_by_its_parent() -> None:
    # It could end just then: hazard 10.
    again = [action.id for action in execute(begun(), [rearm("i:0:7")])]
    assert again == [1, 3, 4]


def test_whatever_comes_with_it_re_arms_all_but_children() -> None:
    strange = make.new_event_raised_event(REARM_EVENT, '{"children": 7}')
    assert [action.id for action in execute(begun(), [strange])] == [1, 3, 4]


def test_each_time_the_step_is_another_execution() -> None:
    history = begun()
    (first, *_), (second, *_) = execute(history, [rearm()]), execute(history, [rearm()])
    assert first.scheduleTask.taskExecutionId != second.scheduleTask.taskExecutionId


def test_what_has_its_answer_is_left_alone() -> None:
    history = [
        *begun(),
        make.new_task_completed_event(1, "7"),
        make.new_event_raised_event("e", "null"),
        timer.new_timer_fired_event(4, LATER),
    ]
    assert kinds(execute(history, [rearm("i:0:0")])) == ["createChildWorkflow"]


def test_the_timer_of_a_wait_is_left_alone_when_its_event_has_come() -> None:
    history = [*begun(), make.new_event_raised_event("E", "null")]
    again = [action.id for action in execute(history, [rearm("i:0:0")])]
    assert again == [1, 2, 4]


def test_what_the_same_turn_brings_is_not_made_again() -> None:
    new = [rearm("i:0:0"), make.new_child_workflow_completed_event(2, "null")]
    assert [action.id for action in execute(begun(), new)] == [1, 3, 4]


def test_a_run_that_ends_in_that_turn_makes_nothing_again() -> None:
    new = [rearm(), make.new_terminated_event()]
    assert kinds(execute(begun(), new)) == ["completeWorkflow"]


def test_a_run_that_was_re_armed_is_replayed_as_if_it_had_not_been() -> None:
    history = begun()
    again = [written(action) for action in execute(history, [rearm("i:0:0")])]
    history += [make.new_workflow_started_event(EPOCH), rearm(), *again]
    assert execute(history, []) == []
    answers = [
        make.new_task_completed_event(1, "7"),
        make.new_event_raised_event("e", "null"),
        timer.new_timer_fired_event(4, LATER),
        make.new_child_workflow_completed_event(2, "null"),
    ]
    (last,) = execute(history, answers)
    assert (last.scheduleTask.name, last.scheduleTask.input.value) == ("b", "7")


@pytest.mark.parametrize(
    ("workflow", "payload", "world"),
    [("task_chain", 1, ChainWorld()), ("batch_processing", 5, BatchWorld(5))],
)
def test_a_run_that_is_re_armed_in_every_turn_does_what_it_does_anyway(
    workflow: str, payload: int, world: Worker
) -> None:
    drive = Drive(workflow, payload, world)
    drive.run()
    for turn in drive.turns:
        rearmed = drive._execute(turn.old, [*turn.new, rearm()])  # noqa: SLF001 - as it does
        plain = [action for action in rearmed if action.SerializeToString() in turn.actions]
        assert [action.SerializeToString() for action in plain] == turn.actions


def sleeper(ctx: Any, _input: Any) -> Any:
    yield ctx.call_activity("a")
    yield ctx.create_timer(LATER)
    yield ctx.call_activity("b")


def sleeping(old: list[Any], new: list[Any], at: datetime) -> list[str]:
    registry = _Registry()
    registry.add_named_orchestrator("sleeper", sleeper)
    turn = [make.new_workflow_started_event(at), *new]
    return kinds(list(Executor(registry, LOG).execute("i", old, turn).actions))


#: The timer's number fired before the run had made it: a job of another life.
TWISTED = [
    make.new_workflow_started_event(EPOCH),
    make.new_execution_started_event("sleeper", "i", "null"),
    make.new_task_scheduled_event(1, "a"),
    make.new_workflow_started_event(EPOCH),
    timer.new_timer_fired_event(2, EPOCH),
    make.new_task_completed_event(1, "null"),
    timer.new_timer_created_event(2, LATER),
]


def test_14_a_timer_that_fired_before_it_was_made_is_due_at_its_time() -> None:
    assert sleeping(TWISTED, [], EPOCH + timedelta(minutes=1)) == []
    # The engine drops what its reminder brings, as it has it already: a turn without an event.
    assert sleeping(TWISTED, [], LATER) == ["scheduleTask"]
    passed = [*TWISTED, make.new_workflow_started_event(LATER)]
    assert sleeping([*passed, make.new_task_scheduled_event(3, "b")], [], LATER) == []


def test_14_and_until_then_it_can_be_re_armed() -> None:
    assert sleeping(TWISTED, [rearm()], EPOCH + timedelta(minutes=1)) == ["createTimer"]


def test_14_a_timer_of_another_life_ends_no_sleep_before_its_time() -> None:
    history = [event for event in TWISTED if not event.HasField("timerFired")]
    early = [timer.new_timer_fired_event(2, LATER - timedelta(seconds=30))]
    assert sleeping(history, early, LATER - timedelta(seconds=30)) == []
    assert sleeping(history, [timer.new_timer_fired_event(2, LATER)], LATER) == ["scheduleTask"]
    # Whatever the clock of this machine says.
    own = [timer.new_timer_fired_event(2, LATER)]
    assert sleeping(history, own, LATER - timedelta(seconds=30)) == ["scheduleTask"]


def test_14_what_is_of_another_kind_answers_nothing() -> None:
    waiting = TWISTED[:3]
    assert sleeping(waiting, [timer.new_timer_fired_event(1, EPOCH)], EPOCH) == []
    # An answer to a number that becomes a timer in the same turn.
    new = [make.new_task_completed_event(2, json.dumps(None)), TWISTED[5]]
    assert sleeping(waiting, new, EPOCH) == ["createTimer"]


def test_what_the_database_writes_into_a_gap_is_the_event_that_re_arms() -> None:
    script = (ROOT / "components" / "postgresql" / "roles.sql").read_text("utf-8")
    (written_down,) = re.findall(r"'\\x([0-9a-f]+)'", script)
    event = pb.HistoryEvent.FromString(bytes.fromhex(written_down))
    assert event.eventRaised.name == REARM_EVENT
    assert execute(begun(), [event]) != []


def test_a_timer_that_fired_in_the_run_that_is_run_again_has_fired() -> None:
    # The engine puts what created it behind all else.
    forked = [
        make.new_workflow_started_event(EPOCH),
        make.new_execution_started_event("sleeper", "i", "null"),
        make.new_task_scheduled_event(1, "a"),
        make.new_workflow_started_event(EPOCH),
        make.new_task_completed_event(1, "null"),
        make.new_workflow_started_event(LATER),
        timer.new_timer_fired_event(2, LATER),
    ]
    inbox = [timer.new_timer_created_event(2, LATER), make.new_task_scheduled_event(3, "b")]
    assert sleeping(forked, inbox, LATER) == []
    assert sleeping(forked, [*inbox, rearm()], LATER) == ["scheduleTask"]
