"""Engines whose every call is bounded."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, create_engine, event, exc

CONNECT_TIMEOUT_SECONDS = 3
#: A connection that was used so recently is taken to be alive. A ping before each use costs a
#: round trip, and a server can still go away between the two.
_FRESH_SECONDS = 1.0
_USED_AT = "holdfast.used_at"


def make_engine(  # noqa: PLR0913 - each is a bound that a caller must be able to see
    url: str,
    application_name: str,
    *,
    pool_size: int = 5,
    max_overflow: int = 0,
    pool_timeout_seconds: float = 10,
    statement_timeout_seconds: float = 30,
    lock_timeout_seconds: float = 15,
    pre_ping: bool = True,
) -> Engine:
    """Return an engine that never waits for ever: for a connection, a lock or a statement.

    Make it after the fork. ``application_name`` is what ``pg_stat_activity`` shows.
    """
    bounds = (
        f"-c statement_timeout={int(statement_timeout_seconds * 1000)} "
        f"-c lock_timeout={int(lock_timeout_seconds * 1000)} "
        "-c idle_in_transaction_session_timeout=120000 -c timezone=UTC"
    )
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=pool_timeout_seconds,
        pool_recycle=1800,
        # The connection that was used last is lent first: the ones in use stay fresh.
        pool_use_lifo=True,
        connect_args={
            "application_name": application_name,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": bounds,
            # A peer that vanished without a word is noticed by the kernel.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 15000,
        },
    )
    if pre_ping:
        ping_after_a_rest(engine)
    return engine


def ping_after_a_rest(engine: Engine) -> None:
    """Before a connection that has rested is lent, find out whether the server still knows it.

    If it does not, the pool takes it and all its siblings for lost and connects anew.
    """

    @event.listens_for(engine, "checkin")
    def note(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, _proxy: Any) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None or time.monotonic() - used_at < _FRESH_SECONDS:
            return
        try:
            alive = engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            if not engine.dialect.is_disconnect(error, connection, None):
                raise
            alive = False
        if not alive:
            raise exc.InvalidatePoolError("the server does not know the connection any more")
