"""The SDK's executor, which sees a run's events as `Ordering` has them, and can re-arm a run.

A run that is *re-armed* dispatches again whatever it waits for: a timer or a step that the
scheduler has lost, a child whose answer is. Numbers and inputs are those of the history, so it
waits for the same as before. It does not matter which of two answers comes first: the ledger makes
them equal, and the engine takes one for each number. The history has those steps twice from then
on; a replay leaves the second out.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import dapr.ext.workflow._durabletask.worker as sdk

from holdfast_orchestrator.engine import protos
from holdfast_orchestrator.ordering import Ordering

#: After one of these the run, or this generation of it, waits for nothing.
_LAST = ("completeWorkflow", "workflowVersionNotAvailable")


class Executor(sdk._OrchestrationExecutor):  # noqa: SLF001 - the SDK has no place for this
    """Runs a turn of a workflow, each answer after the call that it answers."""

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
            result.actions += map(_again, ordering.lost)
        return result

    def process_event(self, ctx: Any, event: Any) -> None:
        """Take an event, but no answer of a step to something else of the same number."""
        if event.HasField("taskCompleted") or event.HasField("taskFailed"):
            answer = event.taskCompleted if event.HasField("taskCompleted") else event.taskFailed
            asked = ctx._pending_actions.get(answer.taskScheduledId)  # noqa: SLF001 - the SDK's own
            if asked is not None and not asked.HasField("scheduleTask"):
                return
        super().process_event(ctx, event)


def use() -> None:
    """Have every runtime of this process execute its turns so."""
    sdk._OrchestrationExecutor = Executor  # type: ignore[misc]  # noqa: SLF001


def _is_last(action: Any) -> bool:
    return action.WhichOneof("workflowActionType") in _LAST


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
