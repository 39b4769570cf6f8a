"""Connections to the database under test, as its owner: the harness is no service."""

from __future__ import annotations

from typing import Any

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
