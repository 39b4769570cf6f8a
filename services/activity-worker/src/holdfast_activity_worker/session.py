"""A database session that can send several statements at once.

The ledger's statements are always the same few. Sent in a pipeline (PostgreSQL, "Pipeline Mode",
in the documentation of libpq) an attempt costs two round trips and not seven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from sqlalchemy import Connection, Engine, exc

#: What the database says when it is away, busy, or not set up yet. None of it is about the work.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)


Rows = psycopg.Cursor[tuple[Any, ...]]
_Driver = psycopg.Connection[tuple[Any, ...]]


def is_away(error: BaseException) -> bool:
    """Tell whether the failure is the database's, so that the same work may succeed later."""
    if isinstance(error, exc.DBAPIError):
        return isinstance(error.orig, AWAY)
    return isinstance(error, (*AWAY, exc.TimeoutError))


def in_a_line(error: BaseException) -> str:
    """Return what the database said, without the statement and the parameters."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return str(cause).partition("\n")[0]


class Session:
    """One connection: SQLAlchemy's for the business, its driver's for the ledger's statements.

    It is in autocommit: transactions are begun and ended by what is sent.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._driver = cast("_Driver", connection.connection.driver_connection)

    @contextmanager
    def flight(self) -> Iterator[Flight]:
        """Send statements without waiting for each answer; return when all have been answered.

        Raises the first failure of any of them.
        """
        with self._driver.pipeline() as pipeline:
            yield Flight(self._driver, pipeline)

    def abandon(self) -> None:
        """Undo what is open. If the connection is lost, drop it and every one as old."""
        try:
            # Through SQLAlchemy: it knows a lost connection, and that its siblings are lost, too.
            self.connection.exec_driver_sql("ROLLBACK")
        except exc.DBAPIError:
            self.connection.invalidate()


class Flight:
    """Statements on their way to the database."""

    def __init__(self, driver: _Driver, pipeline: psycopg.Pipeline) -> None:
        self._driver = driver
        self._pipeline = pipeline

    def send(self, statement: LiteralString, values: Mapping[str, object] | None = None) -> Rows:
        """Send a statement; the cursor has its rows once the flight is over."""
        return self._driver.execute(statement, values)

    def commit_here(self) -> None:
        """End the transaction of the statements so far, unless they began one of their own."""
        self._pipeline.sync()


@contextmanager
def open_session(engine: Engine) -> Iterator[Session]:
    """Lend a connection; nothing is left open on it, whatever happens."""
    with engine.connect() as connection:
        session = Session(connection)
        try:
            yield session
        except BaseException:
            session.abandon()
            raise
