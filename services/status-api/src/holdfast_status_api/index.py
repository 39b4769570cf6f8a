"""The run index: the last that is known of each run, and never a step back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlalchemy.engine import Row

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND, EffectKey
from holdfast_status_api.forgettable import FORGETTABLE
from holdfast_status_api.index_statements import (
    ASK,
    ASKED,
    CLOSED,
    DUE,
    FIND,
    HASTEN_CLOSED,
    absorbing,
)
from holdfast_status_api.orchestrator import EngineRun
from holdfast_status_api.states import STALLED, State, state_of
from holdfast_status_api.tables import closed_runs, events, runs


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


class RunIndex:
    """The index in PostgreSQL. Several processes may write it at once."""

    def __init__(self, engine: Engine) -> None:
        # A single statement is a transaction by itself, without two more round trips.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")

    def find(self, instance_id: str) -> Run | None:
        """Return the last that is known of the run, or ``None`` if no such run was accepted."""
        with self._single.connect() as connection:
            row = connection.execute(FIND, {"run": instance_id}).one_or_none()
        return None if row is None else _run(row)

    def absorb(self, report: EngineRun) -> Run | None:
        """Take in what the engine says, unless it is older than what is known; return the run.

        The first terminal state is final: a run that the engine runs again, or a report that was
        overtaken, changes nothing.
        """
        with self._single.connect() as connection:
            row = connection.execute(
                absorbing(_state(connection, report)),
                {
                    "run": report.instance_id,
                    "engine_output": report.output,
                    "engine_custom_status": report.custom_status or None,
                    "engine_failure": report.failure,
                    "engine_created_at": report.created_at,
                    "engine_updated_at": report.updated_at,
                },
            ).one_or_none()
        return self.find(report.instance_id) if row is None else _run(row)

    def may_ask(self, instance_id: str) -> bool:
        """Take the right to ask the engine about a run; one process at a time has it."""
        with self._single.connect() as connection:
            return connection.execute(ASK, {"run": instance_id}).rowcount == 1

    def asked(self, instance_id: str) -> None:
        """Give the right back when the answer could not be taken in."""
        with self._single.connect() as connection:
            connection.execute(ASKED, {"run": instance_id})

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
            return list(connection.scalars(DUE, {"most": limit}))

    def closed(self, instance_ids: Collection[str]) -> set[str]:
        """Return those of the runs that the ledger has as closed: they end about now."""
        with self._single.connect() as connection:
            return set(connection.scalars(CLOSED, {"those": list(instance_ids)}))

    def hasten_closed(self) -> None:
        """Make runs due that the ledger has as closed, however long they ran."""
        with self._single.connect() as connection:
            connection.execute(HASTEN_CLOSED)


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
