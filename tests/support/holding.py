"""Hold a run in the middle of a step, for as long as a test needs it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from holdfast_contracts.agreements import effect_lock
from tests.support.waiting import eventually

_TAKE = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
_GIVE = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
_BEGUN = text("SELECT count(*) FROM work.attempts WHERE key = ANY(:keys)")


class Hold:
    """Keeps effects from happening, each by the lock under which it would happen."""

    def __init__(self, connection: Connection, keys: tuple[str, ...]) -> None:
        self._connection = connection
        self._keys = keys

    def wait_until_begun(self, seconds: float = 60) -> None:
        """Return when an attempt at every one of them is under way."""

        def begun() -> bool:
            found = self._connection.scalar(_BEGUN, {"keys": list(self._keys)})
            return bool(found >= len(self._keys))

        eventually(f"the steps {', '.join(self._keys)} are under way", begun, seconds=seconds)

    def release(self, *keys: str) -> None:
        """Let some of them happen."""
        for key in keys:
            self._connection.execute(_GIVE, {"name": effect_lock(key)})


@contextmanager
def held(db: Engine, *keys: str) -> Iterator[Hold]:
    """Hold effects from now until the block ends."""
    with db.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for key in keys:
            connection.execute(_TAKE, {"name": effect_lock(key)})
        try:
            yield Hold(connection, keys)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock_all()"))


@contextmanager
def commits_held(db: Engine) -> Iterator[None]:
    """Let workers come up to the commit of an effect, and no further until the block ends."""
    with db.begin() as connection:
        connection.execute(text("LOCK TABLE work.effects IN SHARE MODE"))
        yield
