"""Drives activities the way the engine does, through the real ledger, without the engine."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import psycopg
from prometheus_client import CollectorRegistry

from holdfast_activity_worker.activities import implementations
from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.ledger import PATIENCE_SECONDS, Ledger
from holdfast_activity_worker.metrics import WorkerMetrics
from holdfast_contracts.core import Activity, Command, EffectKey
from holdfast_servicekit.db import make_engine
from tests.support.waiting import eventually


class Hands:
    """One worker process's ledger, engine and activities."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "hands",
        allowed_hosts: tuple[str, ...] = (),
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.name = f"activity-worker/{name}/1"
        self.registry = CollectorRegistry()
        self.metrics = WorkerMetrics(self.registry)
        self.engine = make_engine(
            url,
            self.name,
            pool_size=16,
            statement_timeout_seconds=90,
            lock_timeout_seconds=75,
            pre_ping=False,
        )
        self.ledger = Ledger(
            self.engine, f"{name}/1", self.metrics, patience_seconds=patience_seconds
        )
        self._sources = JobSources(allowed_hosts)
        self._implementations = {
            implementation.activity.name: implementation
            for implementation in implementations(self._sources)
        }
        self._threads = ThreadPoolExecutor(16)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown()
        self._sources.close()
        self.engine.dispose()

    def do(self, activity: Activity[Any, Any], run: str, number: int = 0, /, **fields: Any) -> Any:
        """Run one attempt and return its result."""
        return self.carry_out(activity, command(activity, run, number, **fields))

    def carry_out(self, activity: Activity[Any, Any], given: Command) -> Any:
        """Run one attempt at the given command and return its result."""
        return self.ledger.run(self._implementations[activity.name], given)

    def begin(
        self, activity: Activity[Any, Any], run: str, number: int = 0, /, **fields: Any
    ) -> Future[Any]:
        """Start an attempt on a thread of its own."""
        return self._threads.submit(self.do, activity, run, number, **fields)

    def count(self, name: str, **labels: str) -> float:
        """Read a metric."""
        return self.registry.get_sample_value(name, labels) or 0


def key(activity: Activity[Any, Any], run: str, index: int = 0) -> str:
    """Make the key that the workflow makes."""
    return str(EffectKey(run, 0, activity.name, index))


def command(activity: Activity[Any, Any], run: str, number: int = 0, /, **fields: Any) -> Any:
    """Make the command of a root run's step, unless the fields say otherwise."""
    return activity.input(**{"key": key(activity, run, number), "instance": run, **fields})


Admin = psycopg.Connection[tuple[object, ...]]


def rows(admin: Admin, query: str, *values: object) -> list[tuple[object, ...]]:
    """Return what a query finds, as the superuser sees it."""
    return admin.execute(query.encode(), values).fetchall()


def effects(admin: Admin, run: str) -> list[tuple[object, ...]]:
    """Return step, index and kind of the run's effects in their order."""
    query = "SELECT step, idx, kind FROM work.effects WHERE instance = %s ORDER BY seq"
    return rows(admin, query, run)


def outcomes(admin: Admin, run: str) -> list[object]:
    """Return how the run's attempts ended, in their order; ``None`` is one that was interrupted."""
    query = "SELECT outcome FROM ledger.attempts WHERE instance = %s ORDER BY id"
    return [outcome for (outcome,) in rows(admin, query, run)]


def available(admin: Admin, item: str) -> object:
    """Return how many units of an item are left."""
    return rows(admin, "SELECT available FROM work.inventory WHERE item = %s", item)[0][0]


def wait_until_blocked(admin: Admin, name: str, statement: str) -> int:
    """Return the backend of a session that waits for a lock in the given statement."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = %s "
        "AND wait_event_type = 'Lock' AND query LIKE %s"
    )

    def look() -> list[tuple[object, ...]]:
        # Inside a transaction the view would show for ever what it showed first.
        admin.execute("SELECT pg_stat_clear_snapshot()")
        return rows(admin, query, name, f"%{statement}%")

    ((pid,), *_) = eventually(f"a session of {name} waits in {statement}", look)
    assert isinstance(pid, int)
    return pid
