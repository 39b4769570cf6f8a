"""The status API's way to PostgreSQL, and what callers hear when it is away."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from flask import Flask, Response
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from holdfast_servicekit.db import make_engine
from holdfast_servicekit.problems import Problem
from holdfast_status_api import schema
from holdfast_status_api.settings import Settings

#: What a caller may wait for a lock or a statement; 503 and a retry are better than to hang.
_LOCK_SECONDS = 5
_STATEMENT_SECONDS = 20
_RETRY_AFTER_SECONDS = 1

_log = structlog.get_logger()


def connect(settings: Settings) -> Engine:
    """Return the engine of a serving process. Make it after the fork."""
    return make_engine(
        settings.database_url,
        f"{settings.app_id}/{settings.process_name}",
        pool_size=settings.database_connections,
        max_overflow=8,  # for the threads in the background; they hold one for moments only
        pool_timeout_seconds=5,
        statement_timeout_seconds=_STATEMENT_SECONDS,
        lock_timeout_seconds=_LOCK_SECONDS,
    )


def register_unavailable(app: Flask) -> None:
    """Answer 503 with Retry-After while the database is away; never a 202 for what is not kept."""

    def unavailable(error: Exception) -> Response:
        _log.warning("the database did not answer", error=str(error).splitlines()[0])
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database is not available",
            "Nothing was accepted. Try again; an Idempotency-Key makes that safe.",
            headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
        ).response()

    for error in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(error, unavailable)

    @app.errorhandler(DBAPIError)
    def lost(error: DBAPIError) -> Response:
        if error.connection_invalidated:
            return unavailable(error)
        raise error


def missing(engine: Engine) -> str | None:
    """Say in one line why the database cannot be used, or return ``None``."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (DBAPIError, PoolTimeoutError) as error:
        return f"PostgreSQL does not answer: {type(error).__name__}"
    return None


def unmigrated(engine: Engine) -> str | None:
    """Say in one line what migration is missing, or return ``None``."""
    try:
        with engine.connect() as connection:
            return schema.pending(connection)
    except (DBAPIError, PoolTimeoutError):
        return "unknown while PostgreSQL does not answer"
