"""Make workers stand still at a chosen moment, with nothing but locks in the ledger database.

An effect's row is the last statement before its commit, so a lock on ``work.effects`` holds every
worker right before one. An outcome's row is written after the commit and before the activity
returns, so a lock on ``work.outcomes`` holds it in between.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from holdfast_chaos.database import connect
from holdfast_chaos.world import Aim
from holdfast_contracts.agreements import run_lock

#: Less than the workers' own lock time-out: the harness lets go before they give up.
LONGEST_HOLD_SECONDS = 20.0

_LOCK: dict[Aim, LiteralString] = {
    Aim.BEFORE_EFFECT: "LOCK TABLE work.effects IN SHARE MODE",
    Aim.BEFORE_RETURN: "LOCK TABLE work.outcomes IN SHARE MODE",
}

# The session that waits for the table also holds the lock that effects of its run share.
_STANDS_BEFORE_EFFECT = """
    SELECT DISTINCT attempt.key
    FROM pg_locks AS blocked
    JOIN pg_stat_activity AS session USING (pid)
    JOIN pg_locks AS held ON held.pid = blocked.pid
        AND held.locktype = 'advisory' AND held.granted
        AND ((held.classid::bigint << 32) | held.objid::bigint) = hashtextextended(%(lock)s, 0)
    JOIN work.attempts AS attempt ON attempt.instance = %(run)s
        AND session.application_name LIKE '%%/' || attempt.pod
    LEFT JOIN work.outcomes AS outcome ON outcome.attempt_id = attempt.id
    LEFT JOIN work.effects AS effect ON effect.key = attempt.key
    WHERE blocked.relation = 'work.effects'::regclass AND NOT blocked.granted
        AND outcome.attempt_id IS NULL AND effect.key IS NULL
"""

# Its effect is committed, its attempt has no outcome, and a session of its pod waits to write one.
_STANDS_BEFORE_RETURN = """
    SELECT DISTINCT effect.key
    FROM work.effects AS effect
    JOIN work.attempts AS attempt ON attempt.id = effect.attempt_id
    LEFT JOIN work.outcomes AS outcome ON outcome.attempt_id = attempt.id
    JOIN pg_stat_activity AS session ON session.application_name LIKE '%%/' || attempt.pod
    JOIN pg_locks AS blocked ON blocked.pid = session.pid
    WHERE effect.instance = %(run)s AND outcome.attempt_id IS NULL
        AND blocked.relation = 'work.outcomes'::regclass AND NOT blocked.granted
"""

_STANDS: dict[Aim, LiteralString] = {
    Aim.BEFORE_EFFECT: _STANDS_BEFORE_EFFECT,
    Aim.BEFORE_RETURN: _STANDS_BEFORE_RETURN,
}


@dataclass(frozen=True)
class Held:
    """A chosen run stands at the moment: when that was seen, and at which effects."""

    at: datetime
    keys: tuple[str, ...]


class Gate:
    """Hold all workers before an effect, or before a return, until the block ends.

    Bounded: the lock is taken with a time-out, and the database itself ends a gate whose harness
    has died or forgotten it.
    """

    def __init__(self, database_url: str, aim: Aim) -> None:
        self._url = database_url
        self._aim = aim
        self._holder: psycopg.Connection[tuple[Any, ...]] | None = None
        self._watcher: psycopg.Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        self._watcher = connect(self._url, autocommit=True)
        self._holder = connect(self._url)
        milliseconds = int(LONGEST_HOLD_SECONDS * 1000)
        self._holder.execute(f"SET lock_timeout = {milliseconds}".encode())
        self._holder.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}".encode())
        # The settings outlive the transactions in which the gate is closed.
        self._holder.commit()
        self._close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open()
        if self._watcher is not None:
            self._watcher.close()

    def open(self) -> None:
        """Let the workers go on."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def let_pass(self) -> None:
        """Let who stands at the gate go on, and close it before anybody can come again.

        The next step of a run takes a round trip through the engine; the lock is asked for at
        once, and the database serves requests for it in their order.
        """
        if self._holder is not None:
            self._holder.rollback()
            self._close()

    def wait_for(self, run: str, seconds: float, passed: Collection[str] = ()) -> Held | None:
        """Return when a worker stands at the gate with a step of the run, or none in time.

        Steps that were let pass before do not count.
        """
        waiting = Retrying(
            retry=retry_if_not_result(bool),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.01),
        )
        try:
            keys: Sequence[str] = waiting(self._standing, run, passed)
        except RetryError:
            return None
        return Held(datetime.now(UTC), tuple(keys))

    def _close(self) -> None:
        assert self._holder is not None, "a gate is used as a context"  # noqa: S101
        self._holder.execute(_LOCK[self._aim])

    def _standing(self, run: str, passed: Collection[str]) -> list[str]:
        assert self._watcher is not None, "a gate is used as a context"  # noqa: S101
        rows = self._watcher.execute(
            _STANDS[self._aim], {"run": run, "lock": run_lock(run)}
        ).fetchall()
        return sorted({str(key) for (key,) in rows} - set(passed))


def session_names(database_url: str, prefix: str) -> tuple[str, ...]:
    """Return the names of a component's database sessions, each made of one process of it."""
    with connect(database_url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity "
            "WHERE starts_with(application_name, %s)",
            (prefix,),
        ).fetchall()
    return tuple(str(name) for (name,) in rows)


def end_sessions(database_url: str, names: Sequence[str], *, seconds: float = 5.0) -> int:
    """End the sessions of dead processes and return how many there were.

    A backend that waits for a lock does not notice that its client is gone: without this, the
    statement of a killed worker would still commit when the gate opens.
    """
    ended = 0
    deadline = time.monotonic() + seconds
    with connect(database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            rows = connection.execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
                "WHERE application_name = ANY(%s)",
                (list(names),),
            ).fetchall()
            if not rows:
                break
            ended += len(rows)
    return ended
