"""What the engine has yet to be told: to terminate a run, to forget it, to free it."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    exists,
    func,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from holdfast_servicekit import tracing
from holdfast_status_api import repairing
from holdfast_status_api.orchestrator import Orchestrator, RefusedError
from holdfast_status_api.outbox import Claim, LeaseCheck, Outbox, in_its_turn
from holdfast_status_api.states import State
from holdfast_status_api.tables import commands, events, requests, runs

#: How long a run's effects that are under way are waited for before its ledger is closed.
_FENCE_SECONDS = 2


class Action(StrEnum):
    """What can be commanded."""

    TERMINATE = "terminate"
    PURGE = "purge"
    REPAIR = "repair"


class Commands(Outbox):
    """Accepted commands that the engine has not heard; those of one run go in their order."""

    name = "commands"
    _table = commands
    _key = commands.c.command_id
    _arrived_at = commands.c.delivered_at

    def send(self, orchestrator: Orchestrator, claim: Claim, check_lease: LeaseCheck) -> None:
        """Carry out the command; twice does no harm."""
        check_lease()
        instance_id = claim.row.instance_id
        if claim.row.action == Action.PURGE:
            orchestrator.purge(instance_id)
            return
        if claim.row.action == Action.REPAIR:
            repairing.repair(self._engine, orchestrator, instance_id)
            look_soon(self._engine, instance_id)
            return
        # First the ledger, then the engine: whatever the engine still does has no effect.
        fenced = fence(self._engine, instance_id)
        if fenced is None:
            raise RefusedError("an effect of the run is under way, and its ledger open so long")
        if fenced:
            orchestrator.terminate(instance_id)
            look_soon(self._engine, instance_id)

    def _may_go(self) -> ColumnElement[bool]:
        earlier = commands.alias("earlier")
        return in_its_turn(commands, earlier, earlier.c.delivered_at.is_(None))


def fence(engine: Engine, instance_id: str) -> bool | None:
    """Close the run, and so its children, in the ledger: no effect of it starts from now on.

    Returns whether the run is closed because it is terminated: not if it ended by itself. Returns
    ``None`` if effects that are under way take long; then nothing has changed.
    """
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{_FENCE_SECONDS}s'"))
            return bool(connection.scalar(_close(instance_id)))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return None
        raise


def withdraw(connection: Connection, instance_id: str, state: State) -> bool:
    """End a run that nobody has tried to start yet; tell whether it was one."""
    taken = connection.execute(
        update(requests)
        .where(
            requests.c.instance_id == instance_id,
            requests.c.dispatched_at.is_(None),
            requests.c.claimed_by.is_(None),
            requests.c.attempts == 0,
        )
        .values(dispatched_at=func.clock_timestamp())
    )
    if not taken.rowcount:
        return False
    connection.scalar(_close(instance_id))
    connection.execute(
        update(runs)
        .where(runs.c.instance_id == instance_id, ~runs.c.terminal)
        .values(state=state, updated_at=func.clock_timestamp(), finished_at=func.clock_timestamp())
    )
    return True


def put_command(connection: Connection, instance_id: str, action: Action) -> None:
    """Make sure that the engine will hear the command once."""
    connection.execute(
        insert(commands)
        .values(
            command_id=uuid.uuid4().hex,
            instance_id=instance_id,
            action=action,
            traceparent=tracing.traceparent(),
        )
        .on_conflict_do_nothing()
    )


def purge_where(connection: Connection, *conditions: ColumnElement[bool], limit: int) -> list[str]:
    """Delete what is known of ended runs and have the engine forget them; return their IDs.

    What stays is that there was such a run, so that its ID is not given again, and the ledger.
    """
    chosen = (
        select(runs.c.instance_id)
        .where(runs.c.terminal, runs.c.purged_at.is_(None), *conditions)
        .order_by(runs.c.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    gone = list(
        connection.scalars(
            update(runs)
            .where(runs.c.instance_id == chosen.c.instance_id)
            .values(
                purged_at=func.clock_timestamp(),
                output=null(),
                custom_status=null(),
                failure=null(),
                reason=null(),
            )
            .returning(runs.c.instance_id)
        )
    )
    if gone:
        connection.execute(
            update(requests)
            .where(requests.c.instance_id.in_(gone))
            .values(input=text("'null'::json"))
        )
        connection.execute(
            update(events).where(events.c.instance_id.in_(gone)).values(data=text("'{}'::jsonb"))
        )
        connection.execute(
            insert(commands)
            .values(
                [
                    {"command_id": uuid.uuid4().hex, "instance_id": run, "action": Action.PURGE}
                    for run in gone
                ]
            )
            .on_conflict_do_nothing()
        )
    return gone


def look_soon(engine: Engine, instance_id: str) -> None:
    """Have somebody look at the run: it has changed."""
    with engine.begin() as connection:
        connection.execute(
            update(runs)
            .where(runs.c.instance_id == instance_id)
            .values(next_look_at=func.clock_timestamp())
        )


def is_commanded(instance_id: str, action: Action) -> ColumnElement[bool]:
    """Return whether the command was accepted before, as SQL."""
    return exists().where(commands.c.instance_id == instance_id, commands.c.action == action)


_LOCK_NOT_AVAILABLE = "55P03"


def _close(instance_id: str) -> Executable:
    return select(func.work.close_run(instance_id))
