"""The schema ``status``: which it is, and whether it is this version's."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from holdfast_servicekit import schema_version

SCHEMA = "status"
SCRIPTS = Path(__file__).parent / "migrations"


def pending(connection: Connection) -> str | None:
    """Say in one line what keeps the schema from being this version's, or return ``None``."""
    return schema_version.pending(connection, SCRIPTS, SCHEMA)
