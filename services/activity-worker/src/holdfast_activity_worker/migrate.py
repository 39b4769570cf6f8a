"""Bring the database to what this version of the service needs; safe to repeat and to race."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import as_file, files

from sqlalchemy import Connection, text

from holdfast_activity_worker.inventory import STOCK
from holdfast_activity_worker.schema import SCHEMA, SCRIPTS
from holdfast_servicekit.db import make_engine
from holdfast_servicekit.migrations import upgrade


def migrate(url: str) -> None:
    """Make the schemas, run the migrations, and fill in the rows that every installation has."""
    engine = make_engine(url, f"migrate-{SCHEMA}", pool_size=1)
    try:
        with engine.begin() as connection:
            _one_at_a_time(connection)
            _make_schemas(connection)
        upgrade(url, SCRIPTS, SCHEMA)
        with engine.begin() as connection:
            _one_at_a_time(connection)
            seed(connection)
    finally:
        engine.dispose()


def seed(connection: Connection) -> None:
    """Add the sample legs and the stock that are missing; never touch a row that is there."""
    connection.execute(
        text(
            "INSERT INTO work.sample_legs (idx, origin, destination) "
            "VALUES (:idx, :origin, :destination) ON CONFLICT DO NOTHING"
        ),
        [
            {"idx": idx, "origin": origin, "destination": destination}
            for idx, (origin, destination) in enumerate(sample_legs())
        ],
    )
    connection.execute(
        text(
            "INSERT INTO work.inventory (kind, item, capacity, available) "
            "VALUES (:kind, :item, :capacity, :capacity) ON CONFLICT DO NOTHING"
        ),
        [{"kind": stock.kind, "item": stock.item, "capacity": stock.capacity} for stock in STOCK],
    )


def sample_legs() -> Iterator[tuple[str, str]]:
    """Yield origin and destination of the legs that ship with the package, in their order."""
    with (
        as_file(files(__package__) / "data" / "legs.csv") as path,
        path.open(encoding="ascii", newline="") as lines,
    ):
        for row in csv.DictReader(lines):
            yield row["origin"], row["destination"]


def _make_schemas(connection: Connection) -> None:
    # IF NOT EXISTS would ask for the right to create schemas even where they are all there.
    there = set(connection.scalars(text("SELECT nspname FROM pg_namespace")))
    for schema in SCHEMA, "ledger":
        if schema not in there:
            connection.execute(text(f"CREATE SCHEMA {schema}"))


def _one_at_a_time(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('prepare:work', 0))"))
