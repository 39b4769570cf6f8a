"""A step as the history has it and as the code takes it, so that the two can be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from holdfast_orchestrator.engine import HistoryEvent

ACTIVITY, CHILD, TIMER, WAIT, END = "activity", "child workflow", "timer", "wait for", "end"

_EVENTS = {
    "taskScheduled": ACTIVITY,
    "childWorkflowInstanceCreated": CHILD,
    "timerCreated": TIMER,
}
_ACTIONS = {
    "scheduleTask": ACTIVITY,
    "createChildWorkflow": CHILD,
    "createTimer": TIMER,
    "completeWorkflow": END,
}


@dataclass(frozen=True)
class Step:
    """What a run did or would do at one place."""

    number: int
    kind: str
    #: The activity's, the child workflow's, or that of the event that is waited for.
    name: str = ""
    app: str = ""
    child_id: str = ""
    input: Any = None

    def __str__(self) -> str:
        if self.kind == END:
            return "the end of the run"
        return f"{self.kind} {self.name}" if self.name else f"a {self.kind}"


def of_event(event: HistoryEvent) -> Step | None:
    """Return the step that an event of the history records, if it records one."""
    field: str = event.WhichOneof("eventType") or ""
    if field not in _EVENTS:
        return None
    return _step(event.eventId, _EVENTS[field], getattr(event, field), event.router)


def of_action(action: Any) -> Step:
    """Return the step that the code takes."""
    field: str = action.WhichOneof("workflowActionType")
    return _step(action.id, _ACTIONS.get(field, field), getattr(action, field), action.router)


def _step(number: int, kind: str, payload: Any, router: Any) -> Step:
    if kind == TIMER:
        if payload.WhichOneof("origin") == "externalEvent":
            return Step(number, WAIT, payload.externalEvent.name)
        return Step(number, TIMER)
    if kind not in {ACTIVITY, CHILD}:
        return Step(number, kind)
    return Step(
        number,
        kind,
        payload.name,
        app=router.targetAppID,
        child_id=getattr(payload, "instanceId", ""),
        input=_parsed(payload.input.value),
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def difference(recorded: Any, now: Any, at: str = "") -> str:
    """Say in a few words where two inputs differ first; empty where they are equal."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in [*recorded, *(name for name in now if name not in recorded)]:
            place = f"{at}.{name}" if at else str(name)
            if name not in now:
                return f"{place} is gone"
            if name not in recorded:
                return f"{place} is new"
            found = difference(recorded[name], now[name], place)
            if found:
                return found
        return ""
    if type(recorded) is type(now) and recorded == now:
        return ""
    return f"{at or 'it'} was {_short(recorded)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - a line of a terminal
