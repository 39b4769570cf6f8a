"""The SDK's executor, which takes a run's events as they are meant, and can re-arm a run.

Events come to it in the order of `Ordering`. It knows a timer by its time, too, and not by its
number alone: a job of the scheduler that has outlived its turn, or the database that made it, may
fire a number that the run has not come to, or a timer of that number before its time. The engine
takes the timer for fired then, for good; here it fires when it is made and due (hazard 14).

A step that is answered before it was written down is written down with its answer, also if the run
ends in that very turn. The SDK leaves it out then, and the engine the answer, so that the history
would not tell of something that was done.

A run that is *re-armed* dispatches again whatever it waits for: a timer or a step that the
scheduler has lost, a child whose answer is. Numbers and inputs are those of the history, so it
waits for the same as before. It does not matter which of two answers comes first: the ledger makes
them equal, and the engine takes one for each number. The history has those steps twice from then
on; a replay leaves the second out.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dapr.ext.workflow._durabletask.worker as sdk

from holdfast_orchestrator.engine import TimerTask, protos
from holdfast_orchestrator.ordering import Ordering

#: After one of these the run, or this generation of it, waits for nothing.
_LAST = ("completeWorkflow", "workflowVersionNotAvailable")
#: The scheduler's clock and the sidecar's may differ so much.
_SKEW = timedelta(seconds=2)


class Executor(sdk._OrchestrationExecutor):  # noqa: SLF001 - the SDK has no place for this
    """Runs a turn of a workflow. Made anew for each turn, as the SDK does."""

    def __init__(self, registry: Any, logger: Any) -> None:
        super().__init__(registry, logger)
        self._due: dict[int, Any] = {}
        #: Timers that were said to have fired when they had not been made, or were not due.
        self._too_soon: dict[int, Any] = {}
        self._pending: dict[int, Any] = {}
        #: Steps that were answered before they were written down.
        self._answered: dict[int, Any] = {}

    def execute(
        self,
        instance_id: str,
        old_events: Sequence[Any],
        new_events: Sequence[Any],
        propagated_history: Any = None,
    ) -> Any:
        """Return what the turn does; see the SDK."""
        ordering = Ordering()
        old = ordering.sort(old_events)
        ordering.begin_turn()
        new = ordering.sort(new_events)
        result = super().execute(instance_id, old, new, propagated_history)
        if not any(_is_last(action) for action in result.actions):
            result.actions += map(_again, ordering.lost(self._pending))
        elif any(_is_end(action) for action in result.actions):
            # The engine dispatches nothing that it has the answer of.
            result.actions = [*self._answered.values(), *result.actions]
        return result

    def process_event(self, ctx: Any, event: Any) -> None:
        """Take an event for what it is meant for."""
        self._pending = ctx._pending_tasks  # noqa: SLF001 - what the run waits for, by number
        match event.WhichOneof("eventType"):
            case "timerCreated":
                self._due[event.eventId] = event.timerCreated.fireAt
            case "timerFired":
                if not self._is_due(ctx, event.timerFired):
                    self._too_soon[event.timerFired.timerId] = event
                    return
            case "taskCompleted" | "taskFailed":
                asked = _unwritten(ctx, event)
                if asked is not None and not asked.HasField("scheduleTask"):
                    return  # it answers something else that had its number
                if asked is not None:
                    self._answered[asked.id] = asked
        super().process_event(ctx, event)
        if event.HasField("workflowStarted"):
            for late in self._late(event):
                super().process_event(ctx, late)

    def _is_due(self, ctx: Any, fired: Any) -> bool:
        """Tell whether what fired is the timer that the run waits for; both have the same time.

        The clocks are not asked: they may differ, and a timer fires once.
        """
        made = ctx._pending_actions.get(fired.timerId)  # noqa: SLF001 - not written down yet
        if made is not None and made.HasField("createTimer"):
            self._due[fired.timerId] = made.createTimer.fireAt
        due = self._due.get(fired.timerId)
        if due is None or not isinstance(self._pending.get(fired.timerId), TimerTask):
            return False
        return not fired.fireAt.seconds or bool(fired.fireAt.ToDatetime() >= due.ToDatetime())

    def _late(self, turn: Any) -> list[Any]:
        """Return the timers that were said to have fired too soon, and are due by now."""
        now = turn.timestamp.ToDatetime() + _SKEW
        due = [
            number
            for number in self._too_soon
            if isinstance(self._pending.get(number), TimerTask)
            and number in self._due
            and self._due[number].ToDatetime() <= now
        ]
        return [self._too_soon.pop(number) for number in due]


def use() -> None:
    """Have every runtime of this process execute its turns so."""
    sdk._OrchestrationExecutor = Executor  # type: ignore[misc]  # noqa: SLF001


def _is_last(action: Any) -> bool:
    return action.WhichOneof("workflowActionType") in _LAST


def _is_end(action: Any) -> bool:
    """Tell whether the run is over, and not gone on as new, which begins a history of its own."""
    again = protos.OrchestrationStatus.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
    return bool(
        action.HasField("completeWorkflow") and action.completeWorkflow.workflowStatus != again
    )


def _unwritten(ctx: Any, event: Any) -> Any | None:
    """Return what a step's answer comes to, if that is not in the history yet."""
    answer = event.taskCompleted if event.HasField("taskCompleted") else event.taskFailed
    return ctx._pending_actions.get(answer.taskScheduledId)  # noqa: SLF001 - by number


def _again(event: Any) -> Any:
    """Return the action that makes the same step once more."""
    action = protos.WorkflowAction(id=event.eventId)
    if event.HasField("router"):
        action.router.CopyFrom(event.router)
    match event.WhichOneof("eventType"):
        case "taskScheduled":
            _copy(event.taskScheduled, action.scheduleTask)
            # A sidecar remembers for a minute which executions it has answered.
            action.scheduleTask.taskExecutionId = str(uuid.uuid4())
        case "timerCreated":
            _copy(event.timerCreated, action.createTimer)
        case _:
            _copy(event.childWorkflowInstanceCreated, action.createChildWorkflow)
    return action


def _copy(source: Any, target: Any) -> None:
    """Copy the fields that both have, by name."""
    known = target.DESCRIPTOR.fields_by_name
    for field, value in source.ListFields():
        if field.name in known and field.message_type is None:
            setattr(target, field.name, value)
        elif field.name in known:
            getattr(target, field.name).CopyFrom(value)
    target.SetInParent()
