"""The SDK's executor, with a work-around for hazard 13 of docs/hazards.md.

The engine dispatches a turn's steps before it saves the turn. If the save fails, and the turn was
that of a timer, the step's answer is in the inbox when the turn comes again, *in front of* the
timer, which is not kept there. The SDK drops an answer to a step that it has not scheduled yet; the
engine takes the step for answered, and dispatches it no more. The run would stand still for good.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import dapr.ext.workflow._durabletask.worker as sdk

from holdfast_contracts.core import Checkpointed

#: What a checkpoint answers, now and in former versions.
_ANSWERS: tuple[dict[str, Any], ...] = (Checkpointed().model_dump(mode="json"), {})


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
        scheduled: set[int] = set()
        old = _in_order(old_events, scheduled)
        new = _in_order(new_events, scheduled)
        return super().execute(instance_id, old, new, propagated_history)


def use() -> None:
    """Have every runtime of this process execute its turns so."""
    sdk._OrchestrationExecutor = Executor  # type: ignore[misc]  # noqa: SLF001


def _in_order(events: Iterable[Any], scheduled: set[int]) -> list[Any]:
    """Return events with each early answer right after its call, or else at the end.

    In a history the engine has put the call behind all that the turn took in; so both places come
    to the same.
    """
    ordered: list[Any] = []
    early: dict[int, Any] = {}
    for event in events:
        answers = _answers(event)
        if answers is not None and answers not in scheduled:
            early[answers] = _told(event)
            continue
        ordered.append(event)
        if event.HasField("taskScheduled"):
            scheduled.add(event.eventId)
            if event.eventId in early:
                ordered.append(early.pop(event.eventId))
    return [*ordered, *early.values()]


def _answers(event: Any) -> int | None:
    """Return the number of the step that an event answers; none: it answers none."""
    if event.HasField("taskCompleted"):
        return int(event.taskCompleted.taskScheduledId)
    if event.HasField("taskFailed"):
        return int(event.taskFailed.taskScheduledId)
    return None


def _told(event: Any) -> Any:
    """Return the answer as the workflow is told it: a checkpoint is told that it was none."""
    answer = event.taskCompleted.result.value if event.HasField("taskCompleted") else ""
    if not answer or json.loads(answer) not in _ANSWERS:
        return event
    told = type(event)()
    told.CopyFrom(event)
    told.taskCompleted.result.value = Checkpointed(early=True).model_dump_json()
    return told
