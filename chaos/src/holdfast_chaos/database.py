"""Connections to the database under test, as its owner: the harness is no service."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

#: How the harness's own sessions are called, so that nobody takes them for a victim's.
APPLICATION_NAME = "holdfast-chaos"


def connect(url: str, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a session; the URL may be SQLAlchemy's, with a driver in its scheme."""
    return psycopg.connect(
        url.replace("postgresql+psycopg://", "postgresql://", 1),
        autocommit=autocommit,
        application_name=APPLICATION_NAME,
        connect_timeout=10,
    )


def sizes(url: str) -> dict[str, float]:
    """Return the size of the database and of its largest tables, indexes included, in bytes."""
    with connect(url, autocommit=True) as connection:
        whole = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        tables = connection.execute(_TABLES).fetchall()
    found = {f"table {name}": float(size) for name, size in tables}
    return {"database": float(whole[0]) if whole else 0.0, **found}


_TABLES: LiteralString = """
    SELECT schemaname || '.' || relname, pg_total_relation_size(relid)
    FROM pg_stat_user_tables ORDER BY 2 DESC LIMIT 6
"""
