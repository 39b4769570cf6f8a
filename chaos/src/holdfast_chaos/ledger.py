"""Read the ledger out of the database, in one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import args_row

from holdfast_chaos import facts
from holdfast_chaos.database import connect

T = TypeVar("T")

_EFFECTS = """
    SELECT seq, key, instance, runner, epoch, step, idx, kind, payload_hash, result, attempt_id,
           pod, committed_at
    FROM work.effects WHERE starts_with(instance, %(scope)s) ORDER BY seq
"""
_ATTEMPTS = """
    SELECT a.id, a.key, a.instance, a.runner, a.step, a.pod, a.started_at,
           o.outcome, o.error_type, o.error, o.finished_at
    FROM work.attempts a LEFT JOIN work.outcomes o ON o.attempt_id = a.id
    WHERE starts_with(a.instance, %(scope)s) ORDER BY a.id
"""
_DIVERGENCES = """
    SELECT key, stored_hash, offered_hash, pod, seen_at FROM work.divergences
    WHERE starts_with(key, %(scope)s)
"""
_CLOSED = """
    SELECT instance, key, closed_at FROM work.closed_runs WHERE starts_with(instance, %(scope)s)
"""
_CONSUMED = """
    SELECT event_id, instance, key, consumed_at FROM work.consumed_events
    WHERE starts_with(instance, %(scope)s)
"""
_DECISIONS = """
    SELECT instance, verdict, by, comment, event_id, key, decided_at FROM work.decisions
    WHERE starts_with(instance, %(scope)s)
"""
# The bookings of all runs: together they make up what is left of the inventory.
_BOOKINGS = """
    SELECT booking_id, kind, item, instance, state, booked_at, cancelled_at FROM work.bookings
"""
_INVENTORY = "SELECT kind, item, capacity, available FROM work.inventory"
_LEGS = """
    SELECT batch_id, idx, origin, destination, distance_km FROM work.batch_legs
    ORDER BY batch_id, idx
"""
_RESULTS = "SELECT batch_id, instance, count, total_km FROM work.batch_results"
_NOTIFICATIONS = """
    SELECT id, instance, kind FROM work.notifications WHERE starts_with(instance, %(scope)s)
"""
_REQUESTS = """
    SELECT instance_id, workflow, accepted_at FROM status.requests
    WHERE starts_with(instance_id, %(scope)s)
"""
_EVENTS = """
    SELECT event_id, instance_id, name, data, accepted_at FROM status.events
    WHERE starts_with(instance_id, %(scope)s) ORDER BY seq
"""
# <app-id>||dapr.internal.<ns>.<app-id>.workflow||<instance>||metadata
_ENGINE_ROWS = """
    SELECT DISTINCT split_part(key, '||', 3) FROM dapr.state
    WHERE split_part(key, '||', 2) LIKE 'dapr.internal.%%.workflow'
      AND split_part(key, '||', 4) = 'metadata'
      AND starts_with(split_part(key, '||', 3), %(scope)s)
"""


def read_ledger(database_url: str, scope: str = "") -> facts.LedgerFacts:
    """Return, as of one moment, what the database knows of runs whose names begin with a scope."""
    names = {"scope": scope}
    with connect(database_url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return facts.LedgerFacts(
            effects=_rows(connection, facts.Effect, _EFFECTS, names),
            attempts=_rows(connection, facts.Attempt, _ATTEMPTS, names),
            divergences=_rows(connection, facts.Divergence, _DIVERGENCES, names),
            closed_runs=_rows(connection, facts.ClosedRun, _CLOSED, names),
            consumed_events=_rows(connection, facts.ConsumedEvent, _CONSUMED, names),
            decisions=_rows(connection, facts.DecisionRow, _DECISIONS, names),
            bookings=_rows(connection, facts.BookingRow, _BOOKINGS, names),
            inventory=_rows(connection, facts.Stock, _INVENTORY, names),
            legs=_rows(connection, facts.LegRow, _LEGS, names),
            batch_results=_rows(connection, facts.BatchResultRow, _RESULTS, names),
            notifications=_rows(connection, facts.Notification, _NOTIFICATIONS, names),
            requests=_rows(connection, facts.RequestRow, _REQUESTS, names),
            events=_rows(connection, facts.EventRow, _EVENTS, names),
            engine_rows=tuple(_names(connection, names)),
        )


def _rows(
    connection: psycopg.Connection[Any],
    make: Callable[..., T],
    query: LiteralString,
    names: Mapping[str, str],
) -> tuple[T, ...]:
    with connection.cursor(row_factory=args_row(make)) as cursor:
        return tuple(cursor.execute(query, names).fetchall())


def _names(connection: psycopg.Connection[Any], names: Mapping[str, str]) -> Iterator[str]:
    with connection.cursor() as cursor:
        for (name,) in cursor.execute(_ENGINE_ROWS, names):
            yield str(name)
