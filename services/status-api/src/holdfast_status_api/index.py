"""The run index: the last that is known of each run, and never a step back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    text,
    update,
)
from sqlalchemy.engine import Row

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND, EffectKey
from holdfast_status_api.orchestrator import EngineRun
from holdfast_status_api.states import STALLED, State, predecessors, state_of
from holdfast_status_api.tables import closed_runs, events, requests, runs

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
    start_at: datetime | None
    deadline: datetime | None
    rerun_of: str | None
    requested_by: str | None
    reason: str | None
    origin: str
    #: When the run's next timer is due, as far as that is known.
    wakes_at: datetime | None
    purged: bool
    #: It has been handed to the engine; before that the engine need not be asked.
    dispatched: bool
    #: The engine was asked a moment ago.
    fresh: bool


#: The engine knows it, too: it need not wait for the disk.
_FORGETTABLE = text("SET LOCAL synchronous_commit = off")

#: How long a process that asks the engine may keep all others from asking.
_ASKING_SECONDS = 3.0

_FIND = select(
    runs,
    requests.c.input,
    requests.c.dispatched_at,
    requests.c.start_at,
    requests.c.deadline,
    requests.c.rerun_of,
    requests.c.requested_by,
    requests.c.origin,
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
        with self._engine.begin() as connection:
            state = _state(connection, report)
            unchanged = runs.c.updated_at == report.updated_at
            in_order = [
                runs.c.instance_id == report.instance_id,
                ~runs.c.terminal,
                runs.c.state.in_(sorted(predecessors(state))),
            ]
            if not state.terminal:
                in_order.append(
                    runs.c.observed_at.is_(None) | (runs.c.updated_at <= report.updated_at)
                )
                connection.execute(_FORGETTABLE)
            connection.execute(
                update(runs)
                .where(*in_order)
                .values(
                    state=state,
                    output=_json(report.output),
                    custom_status=_json(report.custom_status or None),
                    failure=_json(report.failure),
                    # A run from the middle of another one has that one's time of creation.
                    started_at=func.greatest(report.created_at, runs.c.accepted_at),
                    updated_at=report.updated_at,
                    finished_at=report.updated_at if state.terminal else None,
                    observed_at=func.clock_timestamp(),
                    # Whoever asks often must not keep the refresher from one that stands still.
                    next_look_at=case((unchanged, runs.c.next_look_at), else_=_next_look()),
                    asked_at=None,
                    wakes_at=case((unchanged, runs.c.wakes_at)),
                )
            )
        return self.find(report.instance_id)

    def may_ask(self, instance_id: str) -> bool:
        """Take the right to ask the engine about a run; one process at a time has it."""
        now = func.clock_timestamp()
        lease = timedelta(seconds=_ASKING_SECONDS)
        with self._engine.begin() as connection:
            connection.execute(_FORGETTABLE)
            taken = connection.execute(
                update(runs)
                .where(
                    runs.c.instance_id == instance_id,
                    runs.c.asked_at.is_(None) | (runs.c.asked_at < now - lease),
                )
                .values(asked_at=now)
            )
        return taken.rowcount == 1

    def asked(self, instance_id: str) -> None:
        """Give the right back when the answer could not be taken in."""
        with self._engine.begin() as connection:
            connection.execute(_FORGETTABLE)
            connection.execute(
                update(runs)
                .where(runs.c.instance_id == instance_id, runs.c.asked_at.is_not(None))
                .values(asked_at=None)
            )

    def note_timer(self, instance_id: str, as_of: datetime, wakes_at: datetime | None) -> None:
        """Remember when the run's next timer is due, unless the run has changed since."""
        with self._engine.begin() as connection:
            connection.execute(_FORGETTABLE)
            connection.execute(
                update(runs)
                .where(runs.c.instance_id == instance_id, runs.c.updated_at == as_of)
                .values(wakes_at=wakes_at)
            )

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

    def closed(self, instance_ids: Collection[str]) -> set[str]:
        """Return those of the runs that the ledger has as closed: they end about now."""
        query = select(closed_runs.c.instance).where(closed_runs.c.instance.in_(instance_ids))
        with self._reader.connect() as connection:
            return set(connection.scalars(query))

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


def _state(connection: Connection, report: EngineRun) -> State:
    """Return the state that the engine's word, the ledger and our own outbox make together."""
    run = report.instance_id
    state = state_of(
        WORKFLOWS.get(report.workflow), report.status, report.output, report.custom_status
    )
    # It may have noticed the closed ledger, and failed, before the engine ended it. One that is
    # stalled the engine does not end before daprd is started anew; nothing of it happens any more.
    ends = state.terminal or report.status == STALLED
    if ends and connection.scalar(
        select(closed_runs.c.key).where(
            closed_runs.c.instance == run, closed_runs.c.key == termination_key(run)
        )
    ):
        return State.TERMINATED
    if state is State.RUNNING and connection.scalar(_LAST_GATE_EVENT, {"run": run}) == SUSPEND.name:
        # It takes no step more, although it has not come to its gate: it waits, or a step runs.
        return State.SUSPENDED
    return state


def termination_key(instance_id: str) -> str:
    """Return the key under which the ledger closes a run that is terminated."""
    return str(EffectKey(instance_id, 0, "terminate", 0))


_LAST_GATE_EVENT = (
    select(events.c.name)
    .where(
        events.c.instance_id == bindparam("run"),
        events.c.name.in_([SUSPEND.name, RESUME.name]),
        events.c.delivered_at.is_not(None),
    )
    .order_by(events.c.seq.desc())
    .limit(1)
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
    told: dict[str, Any] = {
        "state": State(row.state),
        "purged": row.purged_at is not None,
        "dispatched": row.dispatched_at is not None,
    }
    return Run(**{name: getattr(row, name) for name in _AS_STORED - told.keys()}, **told)


_AS_STORED = frozenset(field.name for field in fields(Run))
