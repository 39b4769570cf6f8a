"""A run's events in the order in which the SDK can take them, and each step once.

- An answer can come before its question (hazard 13 of docs/hazards.md).
- A run that was re-armed has steps that are written down twice: they were dispatched again.

Whatever is done about that follows from the events alone, so a replay does the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from holdfast_contracts.core import Checkpointed, Model

#: Makes the engine look at a run, and the executor dispatch again what the run waits for. No
#: workflow waits for it, and none is shown it. Its data is a `Rearming`.
REARM_EVENT = "holdfast-rearm"

#: What a checkpoint answers, now and in former versions.
_ANSWERS: tuple[dict[str, Any], ...] = (Checkpointed().model_dump(mode="json"), {})
_TASK, _CHILD, _TIMER = "taskScheduled", "childWorkflowInstanceCreated", "timerCreated"
_ENDS = {
    "taskCompleted": _TASK,
    "taskFailed": _TASK,
    "childWorkflowInstanceCompleted": _CHILD,
    "childWorkflowInstanceFailed": _CHILD,
}


class Rearming(Model):
    """Which children a run that is re-armed begins again: those that have ended, or are not there.

    A child that runs is re-armed by itself. Its parent would make it with its own lock held; if the
    child ended just then, each would wait for the other for good (hazard 10).
    """

    children: frozenset[str] = frozenset()


class Ordering:
    """Puts the old and then the new events of one turn in order. Made anew for each turn."""

    def __init__(self) -> None:
        self._steps: dict[int, Any] = {}
        #: Timers that end a wait, by the name of the event, the oldest first.
        self._waits: dict[str, list[int]] = {}
        self._ended_waits: set[int] = set()
        self._fired: set[int] = set()
        self._rearmed: set[str] | None = None

    def begin_turn(self) -> None:
        """Say that the events from here on are new: what they ask for is still to be done."""
        self._rearmed = None

    def lost(self, pending: Mapping[int, Any]) -> list[Any]:
        """Return the steps that a run which is re-armed makes again, of those that it waits for."""
        if self._rearmed is None:
            return []
        return [
            event
            for number, event in self._steps.items()
            if number in pending and number not in self._ended_waits
            if not event.HasField(_CHILD)
            or event.childWorkflowInstanceCreated.instanceId in self._rearmed
        ]

    def sort(self, events: Iterable[Any]) -> list[Any]:
        """Return the events as the SDK is to see them.

        An early answer comes right after its call, or else at the end. In a history the engine has
        put the call behind all that the turn took in; so both places come to the same.
        """
        early: dict[int, Any] = {}
        ordered = [taken for event in events for taken in self._take(event, early)]
        return [*ordered, *early.values()]

    def _take(self, event: Any, early: dict[int, Any]) -> list[Any]:
        """Return what stands in the place of one event."""
        kind: str = event.WhichOneof("eventType") or ""
        if kind in {_TASK, _CHILD, _TIMER}:
            return self._ask(kind, event, early)
        if kind in _ENDS:
            return self._answer(kind, event, early)
        if kind == "eventRaised":
            if event.eventRaised.name.casefold() == REARM_EVENT:
                self._rearmed = (self._rearmed or set()) | _children(event)
                return []
            self._end_wait(event.eventRaised.name.casefold())
        if kind == "timerFired":
            self._fired.add(event.timerFired.timerId)
        return [event]

    def _ask(self, kind: str, event: Any, early: dict[int, Any]) -> list[Any]:
        number = event.eventId
        known = self._steps.get(number)
        if known is not None and known.HasField(kind):
            return []
        self._steps[number] = event
        if kind == _TIMER and event.timerCreated.WhichOneof("origin") == "externalEvent":
            name = event.timerCreated.externalEvent.name.casefold()
            self._waits.setdefault(name, []).append(number)
        return [event, early.pop(number)] if kind == _TASK and number in early else [event]

    def _answer(self, kind: str, event: Any, early: dict[int, Any]) -> list[Any]:
        number = int(getattr(event, kind).taskScheduledId)
        asked = self._steps.get(number)
        if asked is None and _ENDS[kind] == _TASK:
            early[number] = _told(event)
            return []
        # The answer to another life's step of that number is none.
        return [event] if asked is None or asked.HasField(_ENDS[kind]) else []

    def _end_wait(self, name: str) -> None:
        """Take the timer of the wait that the event ends for done: the engine deletes it."""
        waiting = self._waits.get(name)
        while waiting:
            number = waiting.pop(0)
            if number not in self._fired:
                self._ended_waits.add(number)
                return


def _children(event: Any) -> frozenset[str]:
    try:
        return Rearming.model_validate_json(event.eventRaised.input.value).children
    except ValidationError:  # what fills a gap has no data, and others may send what they like
        return frozenset()


def _told(event: Any) -> Any:
    """Return the answer as the workflow is told it: a checkpoint is told that it was none."""
    answer = event.taskCompleted.result.value if event.HasField("taskCompleted") else ""
    if not answer or json.loads(answer) not in _ANSWERS:
        return event
    told = type(event)()
    told.CopyFrom(event)
    told.taskCompleted.result.value = Checkpointed(early=True).model_dump_json()
    return told
