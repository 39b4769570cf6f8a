"""Which steps of a history are open: written down, and not answered yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Event = Mapping[str, Any]

TASK, CHILD, TIMER = "TASK_SCHEDULED", "CHILD_WORKFLOW_INSTANCE_CREATED", "TIMER_CREATED"
_ENDS = {
    "TASK_COMPLETED": TASK,
    "TASK_FAILED": TASK,
    "CHILD_WORKFLOW_INSTANCE_COMPLETED": CHILD,
    "CHILD_WORKFLOW_INSTANCE_FAILED": CHILD,
}


def open_steps(history: Sequence[Event]) -> list[Event]:
    """Return the open steps: activities first, for they are what can hang, then children, timers.

    A step that was dispatched again, when its run was re-armed, is there once, as it was the last
    time. A timer is open until it has fired for the time that it has: another of its number may
    have fired before. (It may have fired before it was made: so it is in a run that was begun from
    the middle of another.)
    """
    found: dict[tuple[str, int], Event] = {}
    answered: set[tuple[str, int]] = set()
    for event in history:
        kind = event["type"]
        if kind in {TASK, CHILD, TIMER}:
            found[kind, event["event_id"]] = event
        elif kind in _ENDS:
            answered.add((_ENDS[kind], event["task_scheduled_id"]))
    for event in history:
        timer = found.get((TIMER, event["timer_id"])) if event["type"] == "TIMER_FIRED" else None
        if timer is not None and not _is_earlier(event, timer):
            answered.add((TIMER, event["timer_id"]))
    raised = [event for event in history if event["type"] == "EVENT_RAISED"]
    return [
        event
        for kind in (TASK, CHILD, TIMER)
        for place, event in found.items()
        if place[0] == kind and place not in answered and not _has_come(event, raised)
    ]


def _is_earlier(fired: Event, timer: Event) -> bool:
    at, due = fired.get("fire_at"), timer.get("fire_at")
    if not at or not due:
        return False
    return datetime.fromisoformat(at) < datetime.fromisoformat(due)


def _has_come(timer: Event, raised: Sequence[Event]) -> bool:
    """Tell whether a wait is over: its event has left the timer behind, until the run ends."""
    waited_for = timer.get("event")
    return waited_for is not None and any(
        event["name"] == waited_for and event["timestamp"] >= timer["timestamp"] for event in raised
    )
