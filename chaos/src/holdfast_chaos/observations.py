"""What a client saw from outside: the promises it was given and every status it read."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

#: What the client's promises hang on.
HTTP_OK = 200
HTTP_CREATED = 201
HTTP_ACCEPTED = 202
HTTP_NOT_FOUND = 404
HTTP_SERVER_ERROR = 500
#: Recorded where no answer came at all.
NO_ANSWER = 0


@dataclass(frozen=True)
class StartSeen:
    """A start that the client sent, and the answer."""

    instance: str
    workflow: str
    sent_at: datetime
    answered_at: datetime
    http: int

    @property
    def accepted(self) -> bool:
        """Tell whether the API promised the run."""
        return self.http == HTTP_ACCEPTED


@dataclass(frozen=True)
class EventSeen:
    """An event that the client sent, and the answer."""

    instance: str
    name: str
    data: Mapping[str, Any]
    sent_at: datetime
    answered_at: datetime
    http: int
    event_id: str | None = None

    @property
    def accepted(self) -> bool:
        """Tell whether the API promised the event."""
        return self.http == HTTP_ACCEPTED

    @property
    def possible(self) -> bool:
        """Tell whether the event may have been taken: a lost answer promises nothing, but may."""
        return self.accepted or self.http == NO_ANSWER or self.http >= HTTP_SERVER_ERROR


@dataclass(frozen=True)
class BatchSeen:
    """A batch that the client loaded: what it sent, not what was stored."""

    batch_id: str
    legs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Poll:
    """One status read. ``state`` is set when the answer was 200."""

    instance: str
    sent_at: datetime
    received_at: datetime
    http: int
    state: str | None = None
    output: Any = None


@dataclass(frozen=True)
class Observations:
    """All that the client saw."""

    starts: tuple[StartSeen, ...] = ()
    events: tuple[EventSeen, ...] = ()
    batches: tuple[BatchSeen, ...] = ()
    polls: tuple[Poll, ...] = ()

    @cached_property
    def accepted_at(self) -> Mapping[str, datetime]:
        """When the client knew that a run was accepted, by run."""
        accepted: dict[str, datetime] = {}
        for start in self.starts:
            if start.accepted:
                first = accepted.get(start.instance, start.answered_at)
                accepted[start.instance] = min(first, start.answered_at)
        return accepted

    @cached_property
    def polls_of(self) -> Mapping[str, tuple[Poll, ...]]:
        """Status reads by run, in the order in which the answers came."""
        groups: dict[str, list[Poll]] = defaultdict(list)
        for poll in sorted(self.polls, key=lambda poll: poll.received_at):
            groups[poll.instance].append(poll)
        return {instance: tuple(polls) for instance, polls in groups.items()}

    def events_of(self, instance: str, name: str) -> tuple[EventSeen, ...]:
        """Return the events of one name that were sent to a run, in order."""
        return tuple(e for e in self.events if e.instance == instance and e.name == name)


@dataclass
class Notebook:
    """Collect what several client threads see; every method may be called from any of them."""

    _starts: list[StartSeen] = field(default_factory=list)
    _events: list[EventSeen] = field(default_factory=list)
    _batches: list[BatchSeen] = field(default_factory=list)
    _polls: list[Poll] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, seen: StartSeen | EventSeen | BatchSeen | Poll) -> None:
        """Write down one thing that was seen."""
        with self._lock:
            if isinstance(seen, StartSeen):
                self._starts.append(seen)
            elif isinstance(seen, EventSeen):
                self._events.append(seen)
            elif isinstance(seen, BatchSeen):
                self._batches.append(seen)
            else:
                self._polls.append(seen)

    def observations(self) -> Observations:
        """Return all that was seen until now."""
        with self._lock:
            return Observations(
                tuple(self._starts), tuple(self._events), tuple(self._batches), tuple(self._polls)
            )
