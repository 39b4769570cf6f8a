"""A run's events in the order in which the SDK can take them, and the steps that are open.

The engine's order is not always one that the SDK understands:

- An answer can come before its question (hazard 13 of docs/hazards.md).
- A timer can fire before it is made, or too early: a job of the scheduler outlived the turn, or the
  database, that made it. The engine takes the timer for fired, for good; it is due all the same.
- A run that was repaired has a step that is written down twice: it was dispatched again.

Whatever is done about that follows from the events alone, so a replay does the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from holdfast_contracts.core import Checkpointed, Model

#: Makes the engine look at a run, and the executor dispatch again what the run waits for. No
#: workflow waits for it, and none is shown it. Its data is a `Rearming`.
REARM_EVENT = "holdfast-rearm"

#: What a checkpoint answers, now and in former versions.
_ANSWERS: tuple[dict[str, Any], ...] = (Checkpointed().model_dump(mode="json"), {})
#: The scheduler's clock and the sidecar's may differ so much.
_SKEW = timedelta(seconds=2)
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
        #: The kind of every step that is written down.
        self._kinds: dict[int, str] = {}
        self._open: dict[int, Any] = {}
        #: Timers that were said to have fired when they had not been made, or were not due.
        self._too_soon: dict[int, Any] = {}
        #: Timers that end a wait, by the name of the event, the oldest first.
        self._waits: dict[str, list[int]] = {}
        self._rearmed: set[str] | None = None

    def begin_turn(self) -> None:
        """Say that the events from here on are new: what they ask for is still to be done."""
        self._rearmed = None

    @property
    def lost(self) -> list[Any]:
        """The steps that a run which is re-armed makes again, as their events."""
        return [
            event
            for number, event in self._open.items()
            if self._rearmed is not None
            if self._kinds[number] != _CHILD
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
            return self._ask(kind, event, early) if self._write_down(kind, event) else []
        if kind in _ENDS:
            return self._answer(
                _ENDS[kind], int(getattr(event, kind).taskScheduledId), event, early
            )
        if kind == "timerFired":
            return self._fire(event)
        if kind == "workflowStarted":
            return [event, *self._fire_late(event)]
        if kind == "eventRaised":
            if event.eventRaised.name.casefold() == REARM_EVENT:
                self._rearmed = (self._rearmed or set()) | _children(event)
                return []
            self._end_wait(event)
        return [event]

    def _ask(self, kind: str, event: Any, early: dict[int, Any]) -> list[Any]:
        if kind != _TASK or event.eventId not in early:
            return [event]
        self._open.pop(event.eventId)
        return [event, early.pop(event.eventId)]

    def _answer(self, kind: str, number: int, event: Any, early: dict[int, Any]) -> list[Any]:
        if number not in self._kinds and kind == _TASK:
            early[number] = _told(event)
            return []
        if self._kinds.get(number, kind) != kind:
            return []  # the answer to another life's step of that number
        self._open.pop(number, None)
        return [event]

    def _write_down(self, kind: str, event: Any) -> bool:
        """Note a step; tell whether it is written down for the first time."""
        number = event.eventId
        if self._kinds.get(number) == kind:
            return False
        self._kinds[number] = kind
        self._open[number] = event
        if kind == _TIMER and event.timerCreated.WhichOneof("origin") == "externalEvent":
            name = event.timerCreated.externalEvent.name.casefold()
            self._waits.setdefault(name, []).append(number)
        return True

    def _fire(self, event: Any) -> list[Any]:
        """Return the event if it is of a timer that the run has made, and that was due."""
        number = event.timerFired.timerId
        if self._kinds.get(number, _TIMER) != _TIMER:
            return []
        created = self._open.get(number)
        if number not in self._kinds or (created is not None and _too_soon(event, created)):
            self._too_soon[number] = event
            return []
        self._open.pop(number, None)
        return [event]

    def _fire_late(self, turn: Any) -> list[Any]:
        """Return the timers that were said to have fired too soon, and are due by now."""
        now = turn.timestamp.ToDatetime() + _SKEW
        due = [
            number
            for number in self._too_soon
            if self._kinds.get(number) == _TIMER and number in self._open
            if self._open[number].timerCreated.fireAt.ToDatetime() <= now
        ]
        for number in due:
            self._open.pop(number)
        return [self._too_soon.pop(number) for number in due]

    def _end_wait(self, event: Any) -> None:
        """Take the timer of the wait that the event ends for done: the engine deletes it."""
        waiting = self._waits.get(event.eventRaised.name.casefold())
        while waiting:
            if self._open.pop(waiting.pop(0), None) is not None:
                return


def _children(event: Any) -> frozenset[str]:
    try:
        return Rearming.model_validate_json(event.eventRaised.input.value).children
    except ValidationError:  # what fills a gap has no data, and others may send what they like
        return frozenset()


def _too_soon(fired: Any, created: Any) -> bool:
    """Tell whether what fired is another timer of that number; of the same, both times are equal.

    The clocks are not asked: they may differ, and the timer that was due fires once.
    """
    at, due = fired.timerFired.fireAt, created.timerCreated.fireAt
    return bool(at.seconds) and bool(at.ToDatetime() < due.ToDatetime())


def _told(event: Any) -> Any:
    """Return the answer as the workflow is told it: a checkpoint is told that it was none."""
    answer = event.taskCompleted.result.value if event.HasField("taskCompleted") else ""
    if not answer or json.loads(answer) not in _ANSWERS:
        return event
    told = type(event)()
    told.CopyFrom(event)
    told.taskCompleted.result.value = Checkpointed(early=True).model_dump_json()
    return told
