"""Find every run that nothing will move again, and say what frees it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from sqlalchemy import ColumnElement, Engine, false, func, or_, select, text

from holdfast_servicekit.problems import Problem
from holdfast_status_api.facts import facts_of, worker_connected
from holdfast_status_api.frozen import Frozen
from holdfast_status_api.index import Run, RunIndex
from holdfast_status_api.listing import Filters
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.remembering import Memory, memory_of
from holdfast_status_api.settings import Settings
from holdfast_status_api.survey import RECENT_ATTEMPTS
from holdfast_status_api.tables import requests, runs

#: What one examination asks the engine for; each is two reads of a history, or a few.
MOST = 500
_AT_ONCE = 8
_SHOWN_STRANGERS = 20

_STRANGERS = text(f"""
    SELECT DISTINCT newest.instance FROM (
        SELECT instance FROM ledger.attempts ORDER BY id DESC LIMIT {RECENT_ATTEMPTS}
    ) newest
    WHERE NOT EXISTS (SELECT FROM status.requests r WHERE r.instance_id = newest.instance)
    ORDER BY newest.instance LIMIT {_SHOWN_STRANGERS}
""")  # noqa: S608 - our numbers


@dataclass(frozen=True)
class Patient:
    """A run that is frozen."""

    run: Run
    frozen: Frozen


@dataclass(frozen=True)
class Diagnosis:
    """What was found."""

    patients: Sequence[Patient]
    examined: int
    #: Runs that might be frozen and were too many to look at now.
    left: int
    memory: Memory
    #: Steps were done lately for runs of these IDs, which nobody knows: jobs of the scheduler that
    #: have outlived their runs, as after a restore of the database.
    strangers: Sequence[str]


class Doctor:
    """Looks at runs. Thread-safe."""

    def __init__(self, engine: Engine, orchestrator: Orchestrator, settings: Settings) -> None:
        self._engine = engine
        self._orchestrator = orchestrator
        self._settings = settings
        self._index = RunIndex(engine)

    def examine(self, filters: Filters) -> Diagnosis:
        """Look at every run that might be frozen, the one that is quiet for longest first.

        Raises a 503 while the orchestrator, or every worker, is away: then no run can go on, frozen
        or not.
        """
        self._must_be_connected()
        memory = memory_of(self._engine)
        conditions = (*filters.conditions(), self._suspicious(memory))
        query = select(runs.c.instance_id).join(
            requests, requests.c.instance_id == runs.c.instance_id
        )
        with self._engine.connect() as connection:
            number = connection.scalar(
                select(func.count()).select_from(query.where(*conditions).subquery())
            )
            chosen = connection.scalars(
                query.where(*conditions).order_by(runs.c.updated_at).limit(MOST)
            ).all()
            strangers = connection.scalars(_STRANGERS).all()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="doctor") as pool:
            patients = [found for found in pool.map(self._find, chosen) if found is not None]
        left = max(0, (number or 0) - len(chosen))
        return Diagnosis(patients, len(chosen), left, memory, strangers)

    def look(self, run: Run) -> Frozen | None:
        """Return what froze a run, if something did; raises a 503 as `examine` does."""
        self._must_be_connected()
        return self._look(run)

    def _find(self, instance_id: str) -> Patient | None:
        run = self._index.find(instance_id)
        frozen = None if run is None else self._look(run)
        return None if run is None or frozen is None else Patient(run, frozen)

    def _look(self, run: Run) -> Frozen | None:
        facts = facts_of(self._engine, self._orchestrator, run, self._settings, connected=True)
        return facts.frozen

    def _must_be_connected(self) -> None:
        with self._engine.connect() as connection:
            away = None if worker_connected(connection) else "No activity worker is ready"
        if not self._orchestrator.worker_connected():
            away = "The orchestrator is not ready"
        if away is not None:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                away,
                "Until it is, no run goes on, and none can be told from one that is frozen.",
                headers={"Retry-After": "1"},
            )

    def _suspicious(self, memory: Memory) -> ColumnElement[bool]:
        """Return which runs have to be looked at, as SQL: not those that are to wait still."""
        late = func.clock_timestamp() - timedelta(seconds=self._settings.frozen_grace_seconds)
        forgot_at = memory.forgot_at
        return (
            ~runs.c.terminal
            & requests.c.dispatched_at.is_not(None)
            & or_(
                (runs.c.updated_at < late) & or_(runs.c.wakes_at.is_(None), runs.c.wakes_at < late),
                false() if forgot_at is None else runs.c.accepted_at < forgot_at,
            )
        )
