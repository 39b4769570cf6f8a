"""What has to happen without anybody asking: deadlines, retention, what was lost or is not ours."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Row,
    Select,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.exc import SQLAlchemyError

from holdfast_contracts.core import INSTANCE_ID_PATTERN
from holdfast_servicekit.lasting import Lasting
from holdfast_status_api import documents, remembering
from holdfast_status_api.commands import purge_where
from holdfast_status_api.index import RunIndex
from holdfast_status_api.operations import end_grace, enforce_deadline
from holdfast_status_api.orchestrator import (
    EngineRun,
    Orchestrator,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from holdfast_status_api.settings import Settings
from holdfast_status_api.states import State
from holdfast_status_api.tables import bulk_tokens, requests, runs

_TICK_SECONDS = 0.5
_RETENTION_EVERY_SECONDS = 10.0
_DEADLINES_PER_TICK = 20
_PURGED_PER_TURN = 500
_PAGE = 1000
_DAY_SECONDS = 86_400
#: A child's ID has a colon; it is no run of its own.
_RUN = re.compile(INSTANCE_ID_PATTERN)

_DEADLINES = Counter("holdfast_deadlines_total", "Runs that were ended because of their deadline.")
_PURGED = Counter(
    "holdfast_runs_purged_by_age_total", "Runs that were purged because of their age."
)
_FOUND = Counter("holdfast_runs_found_total", "Runs that were found in the engine alone.")
_log = structlog.get_logger()


class Housekeeper(Lasting):
    """A thread in each process; what only one of them should do at a time, one does."""

    def __init__(self, settings: Settings, engine: Engine, orchestrator: Orchestrator) -> None:
        super().__init__("housekeeping", "the housekeeper")
        self._settings = settings
        self._engine = engine
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        grace = timedelta(seconds=settings.deadline_grace_seconds)
        # Made once: they are asked for twice a second.
        self._late = _past(requests.c.deadline, requests.c.deadline_met_at)
        self._graceless = _past(requests.c.deadline_met_at + grace, requests.c.deadline_settled_at)
        self._index = RunIndex(engine)
        self._orchestrator = orchestrator
        self._next_retention = 0.0
        self._next_reconciliation = 0.0
        self._next_memory = 0.0

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            for chore in (self._deadlines, self._retention, self._memory, self._reconciliation):
                try:
                    chore()
                except (UnavailableError, RefusedError):
                    continue  # it comes again
                except SQLAlchemyError as error:
                    _log.warning("housekeeping was put off", error=str(error))
                except Exception:  # noqa: BLE001 - logged with its trace
                    # One chore that fails must not keep the others from being done.
                    _log.exception("housekeeping failed")

    def _deadlines(self) -> None:
        """End what is late, and where it was asked to undo what it did and does not end, that."""
        request = requests.c
        self._end(self._late, request.deadline_met_at, enforce_deadline)
        self._end(self._graceless, request.deadline_settled_at, end_grace)

    def _end(
        self,
        late: Select[Any],
        noted: Column[datetime],
        deed: Callable[[Engine, str, str], None],
    ) -> None:
        """Do it to runs that go on although it is time; it is idempotent, so the note comes after.

        A run that has ended gets the note alone.
        """
        if not self._found(late):  # nearly always, so nobody is kept out for that
            return
        with self._only_one("deadlines") as ours:
            if not ours:
                return
            for run in self._found(late):
                if not run.terminal:
                    deed(self._engine, run.instance_id, run.workflow)
                    _DEADLINES.inc()
                with self._engine.begin() as connection:
                    connection.execute(
                        update(requests)
                        .where(requests.c.instance_id == run.instance_id)
                        .values({noted.key: func.clock_timestamp()})
                    )

    def _found(self, late: Select[Any]) -> Sequence[Row[Any]]:
        with self._single.connect() as connection:
            return connection.execute(late).all()

    def _retention(self) -> None:
        if time.monotonic() < self._next_retention:
            return
        self._next_retention = time.monotonic() + _RETENTION_EVERY_SECONDS
        with self._engine.begin() as connection:
            connection.execute(
                bulk_tokens.delete().where(bulk_tokens.c.expires_at < func.clock_timestamp())
            )
            if self._settings.retention_days is None:
                return
            age = timedelta(seconds=self._settings.retention_days * _DAY_SECONDS)
            old = runs.c.finished_at < func.clock_timestamp() - age
            purged = purge_where(connection, old, limit=_PURGED_PER_TURN)
        if purged:
            _PURGED.inc(len(purged))
            _log.info("runs were purged because of their age", count=len(purged))

    def _memory(self) -> None:
        """Find out whether the scheduler has lost what runs wait for."""
        if time.monotonic() < self._next_memory:
            return
        self._next_memory = time.monotonic() + self._settings.reconcile_seconds
        with self._only_one("memory") as ours:
            if ours:
                # Another process may have just done it.
                every = self._settings.reconcile_seconds / 2
                remembering.check(self._engine, self._orchestrator, every)

    def _reconciliation(self) -> None:
        """Put runs into the index that did not come through this API."""
        if time.monotonic() < self._next_reconciliation:
            return
        self._next_reconciliation = time.monotonic() + self._settings.reconcile_seconds
        with self._only_one("reconciliation") as ours:
            token: str | None = None
            while ours and not self._stop.is_set():
                ids, token = self._orchestrator.instance_ids(_PAGE, token)
                for instance_id in self._unknown([run for run in ids if _RUN.fullmatch(run)]):
                    try:
                        report = self._orchestrator.run(instance_id)
                    except UnreadableError:
                        continue  # nobody knows even its workflow
                    if report is not None:
                        self._adopt(report)
                if not token:
                    return

    def _unknown(self, ids: list[str]) -> list[str]:
        with self._engine.connect() as connection:
            known = set(
                connection.scalars(
                    select(requests.c.instance_id).where(requests.c.instance_id.in_(ids))
                )
            )
        return [run for run in ids if run not in known]

    def _adopt(self, report: EngineRun) -> None:
        with self._engine.begin() as connection:
            adopted = connection.scalar(
                insert_or_skip(requests)
                .values(
                    instance_id=report.instance_id,
                    workflow=report.workflow,
                    input=_storable(report.input),
                    payload_hash=documents.fingerprint(report.workflow, report.instance_id),
                    accepted_at=report.created_at,
                    dispatched_at=report.created_at,
                    origin="engine",
                )
                .on_conflict_do_nothing()
                .returning(requests.c.instance_id)
            )
            if adopted is None:
                return
            connection.execute(
                insert(runs).values(
                    instance_id=report.instance_id,
                    workflow=report.workflow,
                    state=State.PENDING,
                    accepted_at=report.created_at,
                    updated_at=report.created_at,
                )
            )
        _FOUND.inc()
        _log.info(
            "a run was found that did not come through the API", instance_id=report.instance_id
        )
        self._index.absorb(report)

    @contextmanager
    def _only_one(self, chore: str) -> Iterator[bool]:
        """Tell whether this process may do a chore; no other does it at the same time."""
        name = {"name": f"status:{chore}"}
        with self._engine.connect() as connection:
            # Of the transaction: whatever happens to the process, it goes with the connection.
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))"
            yield bool(connection.scalar(text(lock), name))


def _past(due: ColumnElement[datetime], noted: Column[datetime]) -> Select[Any]:
    """Return what gives runs of which it is time, and which have no note of it yet."""
    return (
        select(requests.c.instance_id, requests.c.workflow, runs.c.terminal)
        .join(runs, runs.c.instance_id == requests.c.instance_id)
        .where(due <= func.clock_timestamp(), noted.is_(None))
        .order_by(due)
        .limit(_DEADLINES_PER_TICK)
    )


def _storable(document: object) -> object:
    """Return the input as the index can hold it: what others started was never checked."""
    return None if next(documents.find_faults(document), None) else document
