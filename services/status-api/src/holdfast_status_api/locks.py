"""Locks that hold to the end of a transaction, by name: who comes meanwhile waits."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from holdfast_contracts.agreements import event_lock


def be_alone(connection: Connection, name: str) -> None:
    """Wait until nobody else has the name, up to the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def take_turns(connection: Connection, instance_id: str) -> None:
    """Wait until nobody else accepts anything for the run, up to the end of the transaction."""
    be_alone(connection, event_lock(instance_id))
