"""A connection that has rested is asked whether it lives; one that was just used is not."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, QueuePool, create_engine, text

from holdfast_servicekit import db


class Pings:
    """An engine on SQLite, whose pings are counted and can fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.alive = True
        self.now = 0.0
        self.engine: Engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1)
        db.ping_after_a_rest(self.engine)
        monkeypatch.setattr(self.engine.dialect, "do_ping", self._ping)
        monkeypatch.setattr("holdfast_servicekit.db.time.monotonic", lambda: self.now)

    def _ping(self, _connection: object) -> bool:
        self.count += 1
        return self.alive

    def use(self) -> None:
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> Pings:
    return Pings(monkeypatch)


def test_a_connection_that_was_just_used_is_not_pinged(pings: Pings) -> None:
    for _ in range(5):
        pings.now += 0.2
        pings.use()
    assert pings.count == 0


def test_a_connection_that_has_rested_is_pinged_once(pings: Pings) -> None:
    pings.use()
    pings.now += 5
    pings.use()
    pings.use()
    assert pings.count == 1


def test_a_connection_that_is_dead_is_replaced_before_anybody_uses_it(pings: Pings) -> None:
    pings.use()
    first = pings.engine.pool.status()
    pings.now += 5
    pings.alive = False
    pings.use()
    assert pings.count == 1
    assert pings.engine.pool.status() == first
