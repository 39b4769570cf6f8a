"""Engines whose every call is bounded."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine

CONNECT_TIMEOUT_SECONDS = 3


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
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=pool_timeout_seconds,
        pool_pre_ping=pre_ping,
        pool_recycle=1800,
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
