"""The run index: the last that is known of each run, and never a step back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Update,
    bindparam,
    case,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.engine import Row
from sqlalchemy.sql.dml import ReturningUpdate

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND, EffectKey
from holdfast_status_api.forgettable import FORGETTABLE
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


#: How long a process that asks the engine may keep all others from asking.
_ASKING_SECONDS = 3.0

#: Python's None is an empty column, not JSON's null.
_JSON = JSON(none_as_null=True)

_FIND = (
    select(
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
    )
    .join(requests, requests.c.instance_id == runs.c.instance_id)
    .where(runs.c.instance_id == bindparam("run"))
)


def _next_look() -> ColumnElement[Any]:
    now = func.clock_timestamp()
    return now + func.least(
        timedelta(seconds=_SELDOM_SECONDS),
        func.greatest(timedelta(seconds=_SOONEST_SECONDS), (now - runs.c.accepted_at) / 10),
    )


# Made once: to make a statement costs more than to send it.

_ASK = (
    update(runs)
    .where(
        runs.c.instance_id == bindparam("run"),
        runs.c.asked_at.is_(None)
        | (runs.c.asked_at < func.clock_timestamp() - timedelta(seconds=_ASKING_SECONDS)),
        FORGETTABLE,
    )
    .values(asked_at=func.clock_timestamp())
)
_ASKED = (
    update(runs)
    .where(runs.c.instance_id == bindparam("run"), runs.c.asked_at.is_not(None), FORGETTABLE)
    .values(asked_at=None)
)
_CLOSED = select(closed_runs.c.instance).where(
    closed_runs.c.instance.in_(bindparam("those", expanding=True))
)
_HASTEN_CLOSED = (
    update(runs)
    .where(
        ~runs.c.terminal,
        runs.c.next_look_at > func.clock_timestamp() + timedelta(seconds=_SOONEST_SECONDS),
        select(closed_runs.c.instance).where(closed_runs.c.instance == runs.c.instance_id).exists(),
        FORGETTABLE,
    )
    .values(next_look_at=func.clock_timestamp())
)


def _putting_off() -> ReturningUpdate[tuple[str]]:
    """Return what gives runs that are due, and puts off the next look at each."""
    candidates = (
        select(runs.c.instance_id)
        .join(requests, requests.c.instance_id == runs.c.instance_id)
        .where(
            ~runs.c.terminal,
            requests.c.dispatched_at.is_not(None),
            runs.c.next_look_at <= func.clock_timestamp(),
        )
        .order_by(runs.c.next_look_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=runs, skip_locked=True)
        # A CTE, not a sub-query: that could run, and lock, more than once.
        .cte("candidates")
    )
    return (
        update(runs)
        .where(runs.c.instance_id == candidates.c.instance_id, FORGETTABLE)
        .values(next_look_at=_next_look())
        .returning(runs.c.instance_id)
    )


_DUE = _putting_off()


@cache
def _absorbing(state: State) -> Update:
    """Return what takes in a report of that state."""
    told_at = bindparam("engine_updated_at", type_=runs.c.updated_at.type)
    created_at = bindparam("engine_created_at", type_=runs.c.started_at.type)
    unchanged = runs.c.updated_at == told_at
    in_order = [
        runs.c.instance_id == bindparam("run"),
        ~runs.c.terminal,
        runs.c.state.in_(sorted(predecessors(state))),
    ]
    if not state.terminal:
        # The engine knows it, too. The end waits for the disk: from then on the index is asked.
        in_order += [runs.c.observed_at.is_(None) | (runs.c.updated_at <= told_at), FORGETTABLE]
    return (
        update(runs)
        .where(*in_order)
        .values(
            state=state,
            output=bindparam("engine_output", type_=_JSON),
            custom_status=bindparam("engine_custom_status", type_=_JSON),
            failure=bindparam("engine_failure", type_=_JSON),
            # A run from the middle of another one has that one's time of creation.
            started_at=func.greatest(created_at, runs.c.accepted_at),
            updated_at=told_at,
            finished_at=told_at if state.terminal else None,
            observed_at=func.clock_timestamp(),
            # Whoever asks often must not keep the refresher from one that stands still.
            next_look_at=case((unchanged, runs.c.next_look_at), else_=_next_look()),
            asked_at=None,
            wakes_at=case((unchanged, runs.c.wakes_at)),
        )
    )


class RunIndex:
    """The index in PostgreSQL. Several processes may write it at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # A single statement is a transaction by itself, without two more round trips.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")

    def find(self, instance_id: str) -> Run | None:
        """Return the last that is known of the run, or ``None`` if no such run was accepted."""
        with self._single.connect() as connection:
            row = connection.execute(_FIND, {"run": instance_id}).one_or_none()
        return None if row is None else _run(row)

    def absorb(self, report: EngineRun) -> Run | None:
        """Take in what the engine says, unless it is older than what is known; return the run.

        The first terminal state is final: a run that the engine runs again, or a report that was
        overtaken, changes nothing.
        """
        with self._engine.begin() as connection:
            connection.execute(
                _absorbing(_state(connection, report)),
                {
                    "run": report.instance_id,
                    "engine_output": report.output,
                    "engine_custom_status": report.custom_status or None,
                    "engine_failure": report.failure,
                    "engine_created_at": report.created_at,
                    "engine_updated_at": report.updated_at,
                },
            )
        return self.find(report.instance_id)

    def may_ask(self, instance_id: str) -> bool:
        """Take the right to ask the engine about a run; one process at a time has it."""
        with self._single.connect() as connection:
            return connection.execute(_ASK, {"run": instance_id}).rowcount == 1

    def asked(self, instance_id: str) -> None:
        """Give the right back when the answer could not be taken in."""
        with self._single.connect() as connection:
            connection.execute(_ASKED, {"run": instance_id})

    def note_timer(self, instance_id: str, as_of: datetime, wakes_at: datetime | None) -> None:
        """Remember when the run's next timer is due, unless the run has changed since."""
        with self._single.connect() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.instance_id == instance_id, runs.c.updated_at == as_of, FORGETTABLE)
                .values(wakes_at=wakes_at)
            )

    def due(self, limit: int) -> list[str]:
        """Return runs that somebody should look at, and put off the next look at each.

        The longer a run runs, the more seldom it is due. Two processes never get the same run.
        """
        with self._single.connect() as connection:
            return list(connection.scalars(_DUE, {"most": limit}))

    def closed(self, instance_ids: Collection[str]) -> set[str]:
        """Return those of the runs that the ledger has as closed: they end about now."""
        with self._single.connect() as connection:
            return set(connection.scalars(_CLOSED, {"those": list(instance_ids)}))

    def hasten_closed(self) -> None:
        """Make runs due that the ledger has as closed, however long they ran."""
        with self._single.connect() as connection:
            connection.execute(_HASTEN_CLOSED)


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


def _run(row: Row[Any]) -> Run:
    told: dict[str, Any] = {
        "state": State(row.state),
        "purged": row.purged_at is not None,
        "dispatched": row.dispatched_at is not None,
    }
    return Run(**{name: getattr(row, name) for name in _AS_STORED - told.keys()}, **told)


_AS_STORED = frozenset(field.name for field in fields(Run))
