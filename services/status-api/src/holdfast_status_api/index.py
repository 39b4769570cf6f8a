"""The run index: the last that is known of each run, and never a step back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, literal, null, select, text, update
from sqlalchemy.engine import Row

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_status_api.orchestrator import EngineRun
from holdfast_status_api.states import State, predecessors, state_of
from holdfast_status_api.tables import closed_runs, requests, runs

#: Callers who ask for one run within this time share one answer of the engine.
FRESH_SECONDS = 0.05
#: How soon, and how seldom, a run that nobody asks for is looked at.
_SOONEST_SECONDS = 1.0
_SELDOM_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """A run as the index has it."""

    instance_id: str
    workflow: str
    state: State
    input: Any
    output: Any
    custom_status: Any
    failure: dict[str, Any] | None
    accepted_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    #: Whose token started it; not known of a run that was started by other means.
    requested_by: str | None
    #: It has been handed to the engine; before that the engine need not be asked.
    dispatched: bool
    #: The engine was asked a moment ago.
    fresh: bool


#: The engine knows it, too: it need not wait for the disk.
_FORGETTABLE = text("SET LOCAL synchronous_commit = off")

_FIND = select(
    runs,
    requests.c.input,
    requests.c.dispatched_at,
    requests.c.requested_by,
    (
        func.coalesce(
            runs.c.observed_at > func.clock_timestamp() - timedelta(seconds=FRESH_SECONDS),
            literal(value=False),
        )
    ).label("fresh"),
).join(requests, requests.c.instance_id == runs.c.instance_id)


class RunIndex:
    """The index in PostgreSQL. Several processes may write it at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # A single read is a transaction by itself, without two more round trips.
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    def find(self, instance_id: str) -> Run | None:
        """Return the last that is known of the run, or ``None`` if no such run was accepted."""
        with self._reader.connect() as connection:
            row = connection.execute(_FIND.where(runs.c.instance_id == instance_id)).one_or_none()
        return None if row is None else _run(row)

    def absorb(self, report: EngineRun) -> Run | None:
        """Take in what the engine says, unless it is older than what is known; return the run.

        The first terminal state is final: a run that the engine runs again, or a report that was
        overtaken, changes nothing.
        """
        state = state_of(
            WORKFLOWS.get(report.workflow), report.status, report.output, report.custom_status
        )
        in_order = [
            runs.c.instance_id == report.instance_id,
            ~runs.c.terminal,
            runs.c.state.in_(sorted(predecessors(state))),
        ]
        if not state.terminal:
            in_order.append(runs.c.observed_at.is_(None) | (runs.c.updated_at <= report.updated_at))
        with self._engine.begin() as connection:
            if not state.terminal:
                connection.execute(_FORGETTABLE)
            connection.execute(
                update(runs)
                .where(*in_order)
                .values(
                    state=state,
                    output=_json(report.output),
                    custom_status=_json(report.custom_status or None),
                    failure=_json(report.failure),
                    started_at=report.created_at,
                    updated_at=report.updated_at,
                    finished_at=report.updated_at if state.terminal else None,
                    observed_at=func.clock_timestamp(),
                    next_look_at=_next_look(),
                )
            )
        return self.find(report.instance_id)

    def due(self, limit: int) -> list[str]:
        """Return runs that somebody should look at, and put off the next look at each.

        The longer a run runs, the more seldom it is due. Two processes never get the same run.
        """
        candidates = (
            select(runs.c.instance_id)
            .join(requests, requests.c.instance_id == runs.c.instance_id)
            .where(
                ~runs.c.terminal,
                requests.c.dispatched_at.is_not(None),
                runs.c.next_look_at <= func.clock_timestamp(),
            )
            .order_by(runs.c.next_look_at)
            .limit(limit)
            .with_for_update(of=runs, skip_locked=True)
            # A CTE, not a sub-query: that could run, and lock, more than once.
            .cte("candidates")
        )
        put_off = (
            update(runs)
            .where(runs.c.instance_id == candidates.c.instance_id)
            .values(next_look_at=_next_look())
            .returning(runs.c.instance_id)
        )
        with self._engine.begin() as connection:
            connection.execute(_FORGETTABLE)
            return list(connection.scalars(put_off))

    def hasten_closed(self) -> None:
        """Make runs due that the ledger has as closed, however long they ran."""
        now = func.clock_timestamp()
        closed = (
            select(closed_runs.c.instance)
            .where(closed_runs.c.instance == runs.c.instance_id)
            .exists()
        )
        soon = now + timedelta(seconds=_SOONEST_SECONDS)
        with self._engine.begin() as connection:
            connection.execute(_FORGETTABLE)
            connection.execute(
                update(runs)
                .where(~runs.c.terminal, runs.c.next_look_at > soon, closed)
                .values(next_look_at=now)
            )


def _next_look() -> ColumnElement[Any]:
    now = func.clock_timestamp()
    return now + func.least(
        timedelta(seconds=_SELDOM_SECONDS),
        func.greatest(timedelta(seconds=_SOONEST_SECONDS), (now - runs.c.accepted_at) / 10),
    )


def _json(value: Any) -> Any:
    # Python's None would become the JSON value null; the column is empty instead.
    return null() if value is None else value


def _run(row: Row[Any]) -> Run:
    return Run(
        instance_id=row.instance_id,
        workflow=row.workflow,
        state=State(row.state),
        input=row.input,
        output=row.output,
        custom_status=row.custom_status,
        failure=row.failure,
        accepted_at=row.accepted_at,
        started_at=row.started_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        requested_by=row.requested_by,
        dispatched=row.dispatched_at is not None,
        fresh=row.fresh,
    )
