"""What a run costs while it waits: memory of all processes, bytes on disk."""

from __future__ import annotations

import psycopg

from bench.contestants.base import Contestant
from bench.machine import megabytes

_IN_FLIGHT = 16


def measure(contestant: Contestant, runs: int) -> dict[str, float]:
    """Park runs and return what each added; can be below zero where others gave memory back."""
    contestant.driver.ask(do="park", count=max(1, runs // 10), in_flight=_IN_FLIGHT)
    before = megabytes(contestant.members())
    size = _database_bytes(contestant)
    contestant.driver.ask(do="park", count=runs, in_flight=_IN_FLIGHT)
    return {
        "parked_kib_per_run": (megabytes(contestant.members()) - before) * 1024 / runs,
        "parked_disk_bytes_per_run": (_database_bytes(contestant) - size) / runs,
    }


def _database_bytes(contestant: Contestant) -> float:
    with psycopg.connect(contestant.ground.conninfo("postgres")) as connection:
        row = connection.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone()
    return float(row[0]) if row else 0.0
