"""Make workers stand still at a chosen moment, with nothing but locks in the ledger database.

An effect's row is the last statement before its commit, and an outcome's row is written after the
commit and before the activity returns. So who is held at the first stands right before a commit,
and who is held at the second stands between a commit and the return.

`EveryStep` holds all workers with a lock on the whole table. `OneStep` holds a single step and
nobody else: it writes the very row that the step is going to write and does not commit, so that
the step waits to see whether its key is taken.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, LiteralString, Protocol, Self

import psycopg

from holdfast_chaos.database import connect
from holdfast_chaos.waiting import eventually
from holdfast_chaos.world import Aim
from holdfast_contracts.agreements import run_lock
from holdfast_contracts.core import EffectKey

#: Less than the workers' own lock time-out: the harness lets go before they give up.
LONGEST_HOLD_SECONDS = 20.0
#: How often it is looked whether somebody stands at a gate.
_OFTEN = 0.01
#: How long the step that is aimed at may be waited for before others have to give way.
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Held:
    """A chosen run stands at the moment: when that was seen, and at which effects."""

    at: datetime
    run: str
    keys: tuple[str, ...]
    #: The processes that stand there, as the ledger calls them: ``<pod>/<pid>``.
    pods: tuple[str, ...] = ()


class Gate(Protocol):
    """Something in the way of a run, as long as the block lasts."""

    @property
    def run(self) -> str:
        """The run that is waited for."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def wait(self, seconds: float) -> Held | None:
        """Return when the run stands at the gate, or none in time."""

    def open(self) -> None:
        """Let all who stand there go on."""


class _Sessions:
    """The harness's own sessions. The database ends those whose harness has died."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._open = ExitStack()

    def watcher(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a session that only looks."""
        watcher = connect(self._url, autocommit=True)
        self._open.callback(watcher.close)
        return watcher

    def holder(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a session for a transaction that stands in the way."""
        holder = connect(self._url)
        self._open.callback(holder.close)  # which rolls back: nothing of it is ever committed
        milliseconds = int(LONGEST_HOLD_SECONDS * 1000)
        holder.execute(f"SET lock_timeout = {milliseconds}".encode())
        holder.commit()
        return holder

    def close(self) -> None:
        """Close them all, and so let go of everything."""
        self._open.close()


class EveryStep:
    """Hold all workers before an effect, or before a return, and wait for one of a chosen run.

    Others can stand in the way: it is for a run that has the workers to itself, as a fan-out has.
    """

    def __init__(self, database_url: str, aim: Aim, run: str) -> None:
        self.run = run
        self._aim = aim
        self._sessions = _Sessions(database_url)
        self._watcher: psycopg.Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        self._watcher = self._sessions.watcher()
        self._sessions.holder().execute(_LOCK[self._aim])
        return self

    def __exit__(self, *_error: object) -> None:
        self.open()

    def open(self) -> None:
        """Let the workers go on."""
        self._watcher = None
        self._sessions.close()

    def wait(self, seconds: float) -> Held | None:
        """Return when a worker stands at the gate with a step of the run, or none in time."""
        there = eventually(self._standing, min(seconds, LONGEST_HOLD_SECONDS), every=_OFTEN)
        if not there:
            return None
        keys, pods = ({row[column] for row in there} for column in (0, 1))
        return Held(datetime.now(UTC), self.run, tuple(sorted(keys)), tuple(sorted(pods)))

    def _standing(self) -> list[tuple[str, str]]:
        assert self._watcher is not None, "a gate is used as a context"  # noqa: S101
        names = {"run": self.run, "lock": run_lock(self.run)}
        rows = self._watcher.execute(_STANDS[self._aim], names).fetchall()
        return [(str(key), str(pod)) for key, pod in rows]


class OneStep:
    """Hold one step before its effect, or before its return; nobody else notices."""

    def __init__(self, database_url: str, aim: Aim, key: EffectKey) -> None:
        self.run = key.instance
        self._key = key
        self._aim = aim
        self._sessions = _Sessions(database_url)
        self._watcher: psycopg.Connection[tuple[Any, ...]] | None = None
        self._holder: psycopg.Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        self._watcher = self._sessions.watcher()
        self._holder = self._sessions.holder()
        self._holder.execute(
            _TAKE_KEY,
            {
                "key": str(self._key),
                "instance": self._key.instance,
                "epoch": self._key.epoch,
                "step": self._key.step,
                "index": self._key.index,
            },
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self.open()

    def open(self) -> None:
        """Let the step go on."""
        self._watcher = self._holder = None
        self._sessions.close()

    def wait(self, seconds: float) -> Held | None:
        """Return when the step stands at the gate, or none in time."""
        assert self._holder is not None, "a gate is used as a context"  # noqa: S101
        before_effect = self._holder
        came = eventually(lambda: self._blocked_by(before_effect), seconds, every=_OFTEN)
        if came and self._aim is Aim.BEFORE_RETURN:
            came = self._move_on(before_effect)
        if not came:
            return None
        return Held(datetime.now(UTC), self.run, (str(self._key),), tuple(came))

    def stands(self) -> bool:
        """Tell whether the step stands before its effect now."""
        return self._holder is not None and bool(self._blocked_by(self._holder))

    def is_in_the_way(self) -> bool:
        """Tell whether another step waits for what the one that stands here has locked."""
        if self._holder is None or self._watcher is None:
            return False
        names = {"pid": self._holder.info.backend_pid}
        return bool(self._watcher.execute(_BEHIND, names).fetchall())

    def _move_on(self, before_effect: psycopg.Connection[tuple[Any, ...]]) -> list[str] | None:
        """Let the step commit its effect, and hold it at the outcome of the same attempt."""
        before_return = self._sessions.holder()
        before_return.execute(_TAKE_OUTCOME, {"key": str(self._key)})
        before_effect.rollback()
        return eventually(
            lambda: self._blocked_by(before_return), LONGEST_HOLD_SECONDS / 2, every=_OFTEN
        )

    def _blocked_by(self, holder: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
        """Return the processes whose sessions wait for the holder's."""
        assert self._watcher is not None, "a gate is used as a context"  # noqa: S101
        rows = self._watcher.execute(_BLOCKED_BY, {"pid": holder.info.backend_pid}).fetchall()
        return [str(name).partition("/")[2] for (name,) in rows]


class Company:
    """Hold one step where a fault is aimed, and steps of other runs, so that they are under way."""

    def __init__(self, run: str, aimed: OneStep | None, others: Sequence[OneStep]) -> None:
        """Take the run that is aimed at; ``aimed`` is none if it is not at one of its steps."""
        self.run = run
        self._aimed = aimed
        self._others = tuple(others)
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        for gate in self._others if self._aimed is None else (self._aimed, *self._others):
            self._entered.enter_context(gate)
        return self

    def __exit__(self, *_error: object) -> None:
        self.open()

    def open(self) -> None:
        """Let all of them go on."""
        self._entered.close()

    def wait(self, seconds: float) -> Held | None:
        """Return when the step that is aimed at stands at the gate, or none in time.

        Who stands at another gate may have locked what that step needs, a seat of the same flight
        for one, and is let go then.
        """
        deadline = time.monotonic() + seconds
        while self._aimed is not None and (left := deadline - time.monotonic()) > 0:
            held = self._aimed.wait(min(left, _PATIENCE_SECONDS))
            if held is not None:
                return held
            for gate in self._others:
                if gate.is_in_the_way():
                    gate.open()
        return None

    def gather(self, seconds: float) -> bool:
        """Wait until the others stand there; tell whether they all do."""
        return bool(eventually(lambda: all(gate.stands() for gate in self._others), seconds))


_LOCK: dict[Aim, LiteralString] = {
    Aim.BEFORE_EFFECT: "LOCK TABLE work.effects IN SHARE MODE",
    Aim.BEFORE_RETURN: "LOCK TABLE work.outcomes IN SHARE MODE",
}

_TAKE_KEY: LiteralString = """
    INSERT INTO work.effects (key, instance, runner, epoch, step, idx, payload_hash, pod)
    VALUES (%(key)s, %(instance)s, %(instance)s, %(epoch)s, %(step)s, %(index)s, '', 'chaos')
"""

# The attempt that stands before its effect is the key's newest; it was written down first.
_TAKE_OUTCOME: LiteralString = """
    INSERT INTO work.outcomes (attempt_id, outcome)
    SELECT max(id), 'committed' FROM work.attempts WHERE key = %(key)s
"""

_BLOCKED_BY: LiteralString = """
    SELECT application_name FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND %(pid)s = ANY(pg_blocking_pids(pid))
"""

# Who waits for a session that waits for the holder's.
_BEHIND: LiteralString = """
    SELECT 1 FROM pg_stat_activity AS standing
    JOIN pg_stat_activity AS behind ON standing.pid = ANY(pg_blocking_pids(behind.pid))
    WHERE standing.wait_event_type = 'Lock' AND %(pid)s = ANY(pg_blocking_pids(standing.pid))
    LIMIT 1
"""

# The session that waits for the table also holds the lock that effects of its run share.
_STANDS_BEFORE_EFFECT = """
    SELECT DISTINCT attempt.key, attempt.pod
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
    SELECT DISTINCT effect.key, attempt.pod
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
