"""What was accepted and is on its way to the orchestrator: starts and events.

A dispatcher claims a row for a few seconds and renews that while it works on it. One that dies
or freezes loses its rows to another, which can see that there was an attempt before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    FromClause,
    Integer,
    Table,
    Update,
    bindparam,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.engine import Row
from sqlalchemy.sql.dml import ReturningUpdate

from holdfast_status_api.forgettable import FORGETTABLE
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.states import State
from holdfast_status_api.tables import events, requests, runs

#: How long a dispatcher that says nothing keeps its rows.
LEASE_SECONDS = 5.0
_FIRST_RETRY_SECONDS = 0.2
#: Short: it is also what an accepted run may wait after an outage.
_LONGEST_RETRY_SECONDS = 2.0
_SHOWN_ERROR_CHARACTERS = 500

#: Raises `LeaseLostError` unless the row is still ours.
LeaseCheck = Callable[[], None]


class LeaseLostError(Exception):
    """This process was frozen for so long that another may have taken over the row."""


@dataclass(frozen=True)
class Claim:
    """A row that this process may work on, and how often somebody has tried before."""

    id: str
    attempts_before: int
    row: Row[Any]


@dataclass(frozen=True)
class Backlog:
    """How many rows wait, and for how long the oldest of them."""

    depth: int
    oldest_seconds: float


class Outbox(ABC):
    """A table whose rows have to be brought to the orchestrator, each at least once."""

    name: ClassVar[str]
    _table: ClassVar[Table]
    _key: ClassVar[Column[Any]]
    #: Says when the row arrived.
    _arrived_at: ClassVar[Column[Any]]

    def __init__(self, engine: Engine, owner: str) -> None:
        self._engine = engine
        # A single statement is a transaction by itself, without two more round trips: the outboxes
        # are read several times a second for as long as the service runs.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._owner = owner
        # Made once: to make a statement costs more than to send it.
        self._take = self._taking()
        self._arrive = self._settling(self._arrived_at)

    @abstractmethod
    def send(self, orchestrator: Orchestrator, claim: Claim, check_lease: LeaseCheck) -> None:
        """Bring one row to the orchestrator; what it raises is the reason to try again."""

    def claim(self, limit: int) -> list[Claim]:
        """Take rows that are due and that nobody holds.

        The attempt is committed before it is made: whoever comes next knows that a first one may
        have arrived.
        """
        with self._single.connect() as connection:
            rows = connection.execute(self._take, {"most": limit}).all()
        return [Claim(row._mapping[self._key], row.attempts - 1, row) for row in rows]  # noqa: SLF001

    def renew(self, ids: Sequence[str]) -> list[str]:
        """Keep these rows, and return those that this process still holds."""
        renewed = (
            self._held()
            .where(self._key.in_(ids), FORGETTABLE)
            .values(next_attempt_at=_in(LEASE_SECONDS))
            .returning(self._key)
        )
        with self._single.connect() as connection:
            return list(connection.scalars(renewed))

    def release(self) -> None:
        """Give back the rows that this process holds, for others to take at once."""
        self._note(self._held().values(next_attempt_at=_now(), claimed_by=None))

    def done(self, claim: Claim) -> None:
        """Note that the row has arrived."""
        self._settle(claim, self._arrive)

    def put_off(self, claim: Claim, why: str) -> None:
        """Try again soon, the later the more often it failed."""
        grown = _FIRST_RETRY_SECONDS * 2 ** min(claim.attempts_before, 16)
        seconds = min(grown, _LONGEST_RETRY_SECONDS)
        self._note(
            self._held()
            .where(self._key == claim.id)
            .values(
                next_attempt_at=_in(seconds),
                claimed_by=None,
                last_error=why[:_SHOWN_ERROR_CHARACTERS],
            )
        )

    def backlog(self) -> Backlog:
        """Return how much waits here, for all processes together."""
        age = func.extract("epoch", _now() - func.min(self._since()))
        with self._engine.connect() as connection:
            depth, oldest = connection.execute(
                select(func.count(), func.coalesce(age, 0)).where(self._waiting())
            ).one()
        return Backlog(depth, float(oldest))

    def _since(self) -> ColumnElement[Any]:
        """Since when a row waits."""
        since: ColumnElement[Any] = self._table.c.accepted_at
        return since

    def _waiting(self) -> ColumnElement[bool]:
        return self._arrived_at.is_(None)

    @abstractmethod
    def _may_go(self) -> ColumnElement[bool]:
        """Whether nothing else has to come before the row."""

    def _taking(self) -> ReturningUpdate[Any]:
        due = (
            select(self._key)
            .where(self._waiting(), self._may_go(), self._table.c.next_attempt_at <= _now())
            .order_by(self._table.c.next_attempt_at)
            .limit(bindparam("most", type_=Integer))
            .with_for_update(of=self._table, skip_locked=True)
            # A CTE, not a sub-query: that could run, and lock, more than once.
            .cte("due")
        )
        return (
            update(self._table)
            .where(self._key == due.c[self._key.key])
            .values(
                attempts=self._table.c.attempts + 1,
                claimed_by=self._owner,
                next_attempt_at=_in(LEASE_SECONDS),
            )
            .returning(self._table)
        )

    def _settling(self, when: Column[Any]) -> Update:
        return (
            update(self._table)
            .where(self._key == bindparam("row"), self._waiting(), FORGETTABLE)
            .values({when.key: _now(), "claimed_by": None, "last_error": None})
        )

    def _settle(self, claim: Claim, settling: Update) -> None:
        with self._single.connect() as connection:
            connection.execute(settling, {"row": claim.id})

    def _note(self, change: Update) -> None:
        """Make a change; should a crash undo it, the next attempt finds out how things are."""
        with self._single.connect() as connection:
            connection.execute(change.where(FORGETTABLE))

    def _held(self) -> Update:
        return update(self._table).where(self._table.c.claimed_by == self._owner, self._waiting())


class Starts(Outbox):
    """Accepted runs that the engine does not have yet."""

    name = "starts"
    _table = requests
    _key = requests.c.instance_id
    _arrived_at = requests.c.dispatched_at

    def send(self, orchestrator: Orchestrator, claim: Claim, check_lease: LeaseCheck) -> None:
        """Start the run, once.

        The engine resets a finished run that is started again. So when an answer may have been
        lost the run is looked up first, and a process that was frozen does not start anything.
        """
        if claim.attempts_before and orchestrator.started(claim.id):
            return
        check_lease()
        row = claim.row
        if row.rerun_event is None:
            # Without the time to start at: until then it waited here.
            orchestrator.start(row.workflow, claim.id, row.input, None)
        else:
            orchestrator.rerun(row.rerun_of, row.rerun_event, claim.id)

    def fail(self, claim: Claim, why: str) -> None:
        """End a run that cannot be started, now or later: it has failed, and says why."""
        ended = {"updated_at": _now(), "finished_at": _now()}
        failure = {"type": "StartImpossible", "message": why}
        with self._engine.begin() as connection:
            connection.execute(
                update(requests)
                .where(requests.c.instance_id == claim.id, requests.c.dispatched_at.is_(None))
                .values(dispatched_at=_now(), claimed_by=None, last_error=why)
            )
            connection.execute(
                update(runs)
                .where(runs.c.instance_id == claim.id, ~runs.c.terminal)
                .values(state=State.FAILED, failure=failure, **ended)
            )

    def _since(self) -> ColumnElement[Any]:
        return func.greatest(requests.c.accepted_at, requests.c.start_at)

    def _waiting(self) -> ColumnElement[bool]:
        return requests.c.dispatched_at.is_(None) & self._may_go()

    def _may_go(self) -> ColumnElement[bool]:
        return requests.c.start_at.is_(None) | (requests.c.start_at <= _now())


class Events(Outbox):
    """Accepted events that no run has yet; those of one run go in the order of acceptance."""

    name = "events"
    _table = events
    _key = events.c.event_id
    _arrived_at = events.c.delivered_at

    def __init__(self, engine: Engine, owner: str) -> None:
        super().__init__(engine, owner)
        ended = select(runs.c.instance_id).where(runs.c.terminal)
        # Made once: it is asked for twice a second.
        self._expire_finished = (
            update(events)
            .where(self._waiting(), events.c.instance_id.in_(ended), FORGETTABLE)
            .values(expired_at=_now(), claimed_by=None)
        )

    def send(self, orchestrator: Orchestrator, claim: Claim, check_lease: LeaseCheck) -> None:
        """Deliver the event with its id; a run that gets it twice takes it once."""
        check_lease()
        row = claim.row
        orchestrator.raise_event(row.instance_id, row.name, row.event_id, row.data)

    def done(self, claim: Claim) -> None:
        """Note that the event has arrived; the run may look different from now on."""
        super().done(claim)
        self._note(
            update(runs)
            .where(runs.c.instance_id == claim.row.instance_id, ~runs.c.terminal)
            .values(next_look_at=_now())
        )

    def expire(self, claim: Claim) -> None:
        """Note that the run was over before the event came."""
        self._settle(claim, self._settling(events.c.expired_at))

    def expire_finished(self) -> None:
        """Note of every waiting event of a run that has ended that it came too late."""
        with self._single.connect() as connection:
            connection.execute(self._expire_finished)

    def _waiting(self) -> ColumnElement[bool]:
        return events.c.delivered_at.is_(None) & events.c.expired_at.is_(None)

    def _may_go(self) -> ColumnElement[bool]:
        earlier = events.alias("earlier")
        is_open = earlier.c.delivered_at.is_(None) & earlier.c.expired_at.is_(None)
        return in_its_turn(events, earlier, is_open)


def in_its_turn(
    rows: FromClause, earlier: FromClause, is_open: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether the row's run was started and no open row of the run was accepted before, as SQL."""
    started = exists().where(
        requests.c.instance_id == rows.c.instance_id, requests.c.dispatched_at.is_not(None)
    )
    overtakes = exists().where(
        earlier.c.instance_id == rows.c.instance_id, earlier.c.seq < rows.c.seq, is_open
    )
    return started & ~overtakes


def _now() -> ColumnElement[Any]:
    return func.clock_timestamp()


def _in(seconds: float) -> ColumnElement[Any]:
    return func.clock_timestamp() + timedelta(seconds=seconds)
