"""What must be there before this service is of use, and what is missing."""

from __future__ import annotations

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from holdfast_activity_worker import schema
from holdfast_activity_worker.session import in_a_line


def database_problem(engine: Engine) -> str | None:
    """Say why the worker's own schema cannot be used, or return ``None``."""
    try:
        with engine.connect() as connection:
            return schema.pending(connection)
    except SQLAlchemyError as error:
        return f"the database cannot be used: {in_a_line(error)}"


def events_problem(engine: Engine) -> str | None:
    """Say why accepted events cannot be read, or return ``None``."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT FROM status.events LIMIT 0"))
    except SQLAlchemyError as error:
        return f"status.events cannot be read, run the status API's migrations: {in_a_line(error)}"
    return None
