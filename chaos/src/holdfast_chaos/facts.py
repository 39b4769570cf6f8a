"""The ledger as frozen values: what the database says happened, at one moment.

Nothing in here reads a database, so that every check of it can be tested on made-up worlds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from holdfast_contracts.core import EffectKey

T = TypeVar("T")

#: Kinds of rows in ``effects``: done, or claimed by a compensation so that it never is.
DONE = "effect"
CLAIMED = "cancelled"
#: The outcome of an attempt whose effect is in the ledger.
COMMITTED = "committed"


@dataclass(frozen=True)
class Effect:
    """One row of the ledger: a step that took effect, or was cancelled before it could."""

    seq: int
    key: str
    instance: str
    runner: str
    epoch: int
    step: str
    index: int
    kind: str
    payload_hash: str
    result: Any
    attempt_id: int | None
    pod: str
    committed_at: datetime


@dataclass(frozen=True)
class Attempt:
    """One execution of an activity's body, and how it ended if it came that far."""

    id: int
    key: str
    instance: str
    runner: str
    step: str
    pod: str
    started_at: datetime
    outcome: str | None = None
    error_type: str | None = None
    error: str | None = None
    finished_at: datetime | None = None

    @property
    def interrupted(self) -> bool:
        """Tell whether the attempt never came to report an outcome."""
        return self.outcome is None


@dataclass(frozen=True)
class Divergence:
    """One effect key that came with two payloads."""

    key: str
    stored_hash: str
    offered_hash: str
    pod: str
    seen_at: datetime


@dataclass(frozen=True)
class ClosedRun:
    """A run, or a child, that takes no new effect."""

    instance: str
    key: str
    closed_at: datetime


@dataclass(frozen=True)
class ConsumedEvent:
    """An accepted event that an effect used up."""

    event_id: str
    instance: str
    key: str
    consumed_at: datetime


@dataclass(frozen=True)
class DecisionRow:
    """The one decision of an order."""

    instance: str
    verdict: str
    by: str
    comment: str
    event_id: str | None
    key: str
    decided_at: datetime


@dataclass(frozen=True)
class BookingRow:
    """One unit of inventory that a trip took, and whether it was given back."""

    booking_id: str
    kind: str
    item: str
    instance: str
    state: str
    booked_at: datetime
    cancelled_at: datetime | None


@dataclass(frozen=True)
class Stock:
    """What is left of one item."""

    kind: str
    item: str
    capacity: int
    available: int


@dataclass(frozen=True)
class LegRow:
    """One leg of a batch with its length, once measured."""

    batch_id: str
    index: int
    origin: str
    destination: str
    distance_km: float | None


@dataclass(frozen=True)
class BatchResultRow:
    """Count and total that a run stored for a batch."""

    batch_id: str
    instance: str
    count: int
    total_km: float


@dataclass(frozen=True)
class Notification:
    """One row of the notification outbox."""

    id: str
    instance: str
    kind: str


@dataclass(frozen=True)
class RequestRow:
    """A start that the API accepted."""

    instance: str
    workflow: str
    accepted_at: datetime


@dataclass(frozen=True)
class EventRow:
    """An event that the API accepted."""

    event_id: str
    instance: str
    name: str
    data: Any
    accepted_at: datetime


@dataclass(frozen=True)
class LedgerFacts:
    """Everything the database knows about a workload, read in one snapshot."""

    effects: tuple[Effect, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    divergences: tuple[Divergence, ...] = ()
    closed_runs: tuple[ClosedRun, ...] = ()
    consumed_events: tuple[ConsumedEvent, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    bookings: tuple[BookingRow, ...] = ()
    inventory: tuple[Stock, ...] = ()
    legs: tuple[LegRow, ...] = ()
    batch_results: tuple[BatchResultRow, ...] = ()
    notifications: tuple[Notification, ...] = ()
    requests: tuple[RequestRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    #: Instances that the engine keeps rows of in its state store.
    engine_rows: tuple[str, ...] = ()

    @cached_property
    def effects_of(self) -> Mapping[str, tuple[Effect, ...]]:
        """Effects by root run, in the order in which they were committed."""
        return _grouped((e.instance, e) for e in sorted(self.effects, key=lambda e: e.seq))

    @cached_property
    def attempts_of(self) -> Mapping[str, tuple[Attempt, ...]]:
        """Attempts by root run, in the order in which they started."""
        return _grouped((a.instance, a) for a in sorted(self.attempts, key=lambda a: a.id))

    @cached_property
    def attempts_at(self) -> Mapping[str, tuple[Attempt, ...]]:
        """Attempts by effect key."""
        return _grouped((a.key, a) for a in sorted(self.attempts, key=lambda a: a.id))

    @cached_property
    def attempt(self) -> Mapping[int, Attempt]:
        """Attempts by their id."""
        return {a.id: a for a in self.attempts}

    @cached_property
    def effect(self) -> Mapping[str, Effect]:
        """Effects by key."""
        return {e.key: e for e in self.effects}

    @cached_property
    def closed(self) -> Mapping[str, ClosedRun]:
        """Closed runs by instance."""
        return {c.instance: c for c in self.closed_runs}

    @cached_property
    def bookings_of(self) -> Mapping[str, tuple[BookingRow, ...]]:
        """Bookings by run."""
        return _grouped((b.instance, b) for b in self.bookings)

    @cached_property
    def decisions_of(self) -> Mapping[str, tuple[DecisionRow, ...]]:
        """Decisions by run."""
        return _grouped((d.instance, d) for d in self.decisions)

    def steps_seen(self, instance: str) -> frozenset[str]:
        """Return the steps that a run at least attempted, by attempt or by effect."""
        effects = (e.step for e in self.effects_of.get(instance, ()) if e.kind == DONE)
        return frozenset(effects) | {a.step for a in self.attempts_of.get(instance, ())}


def key(instance: str, step: str, index: int = 0, epoch: int = 0) -> str:
    """Return the text of an effect key."""
    return str(EffectKey(instance, epoch, step, index))


def _grouped(pairs: Iterable[tuple[str, T]]) -> Mapping[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return {name: tuple(values) for name, values in groups.items()}
