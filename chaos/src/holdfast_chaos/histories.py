"""The engine's histories: what the engine believes happened, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

#: States of the engine in which nothing can happen to a run any more.
TERMINAL = frozenset({"COMPLETED", "FAILED", "TERMINATED"})


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a history."""

    event_id: int
    timestamp: datetime
    type: str
    name: str | None = None
    task_scheduled_id: int | None = None
    timer_id: int | None = None
    input: Any = None
    result: Any = None
    instance_id: str | None = None
    fire_at: datetime | None = None
    failure: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Answer:
    """What the engine says came of one scheduled step."""

    key: str
    step: str
    scheduled_at: datetime
    answered_at: datetime | None
    #: ``completed``, ``failed`` or ``open``.
    end: str
    result: Any = None
    error_type: str | None = None


@dataclass(frozen=True)
class RunHistory:
    """A run, or a child, as the engine tells it."""

    instance: str
    workflow: str
    status: str
    input: Any
    output: Any
    failure: Mapping[str, str] | None
    events: tuple[HistoryEvent, ...]

    @property
    def terminal(self) -> bool:
        """Tell whether the run has ended."""
        return self.status in TERMINAL

    def of_type(self, *types: str) -> tuple[HistoryEvent, ...]:
        """Return the events of the given types, in order."""
        return tuple(event for event in self.events if event.type in types)

    def _once(self, kind: str) -> Iterable[HistoryEvent]:
        """Return the steps of a kind, each as it was dispatched first: a repair does so again."""
        first: dict[int, HistoryEvent] = {}
        for event in self.of_type(kind):
            first.setdefault(event.event_id, event)
        return first.values()

    @cached_property
    def started_at(self) -> datetime | None:
        """The time at which the (current generation of the) run began."""
        started = self.of_type("EXECUTION_STARTED")
        return started[0].timestamp if started else None

    @cached_property
    def ended_at(self) -> datetime | None:
        """The time at which the run ended."""
        ended = self.of_type("EXECUTION_COMPLETED", "EXECUTION_TERMINATED")
        return ended[-1].timestamp if ended else None

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Every step with an effect key that the run scheduled, with what came of it."""
        return tuple(self._answers())

    def _answers(self) -> Iterator[Answer]:
        ends = {
            event.task_scheduled_id: event
            for event in self.of_type("TASK_COMPLETED", "TASK_FAILED")
        }
        for event in self._once("TASK_SCHEDULED"):
            if not isinstance(event.input, Mapping) or "key" not in event.input:
                continue
            end = ends.get(event.event_id)
            failed = end is not None and end.type == "TASK_FAILED"
            yield Answer(
                key=str(event.input["key"]),
                step=event.name or "",
                scheduled_at=event.timestamp,
                answered_at=None if end is None else end.timestamp,
                end="open" if end is None else "failed" if failed else "completed",
                result=None if end is None else end.result,
                error_type=(end.failure or {}).get("type") if end is not None and failed else None,
            )

    @cached_property
    def timers(self) -> tuple[tuple[datetime, datetime, datetime | None], ...]:
        """Every timer as (created, due, fired or none)."""
        fired = {event.timer_id: event.timestamp for event in self.of_type("TIMER_FIRED")}
        return tuple(
            (event.timestamp, event.fire_at, fired.get(event.event_id))
            for event in self._once("TIMER_CREATED")
            if event.fire_at is not None
        )


def when(text: str | None) -> datetime | None:
    """Return the moment that an RFC 3339 text names, as aware UTC."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_event(raw: Mapping[str, Any]) -> HistoryEvent:
    """Return one event of the management API's history."""
    stamp = when(raw["timestamp"])
    if stamp is None:
        message = f"a history event without a time: {raw}"
        raise ValueError(message)
    return HistoryEvent(
        event_id=int(raw["event_id"]),
        timestamp=stamp,
        type=str(raw["type"]),
        name=raw.get("name"),
        task_scheduled_id=raw.get("task_scheduled_id"),
        timer_id=raw.get("timer_id"),
        input=raw.get("input"),
        result=raw.get("result"),
        instance_id=raw.get("instance_id"),
        fire_at=when(raw.get("fire_at")),
        failure=raw.get("failure"),
    )


def parse_run(state: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> RunHistory:
    """Return a run from what the management API says of its state and its history."""
    return RunHistory(
        instance=state["instance_id"],
        workflow=state["workflow"],
        status=state["status"],
        input=state.get("input"),
        output=state.get("output"),
        failure=state.get("failure"),
        events=tuple(parse_event(event) for event in events),
    )
