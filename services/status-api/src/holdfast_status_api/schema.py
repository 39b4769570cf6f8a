"""The schema ``status``: made by ``migrate``, asked for by readiness."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from holdfast_servicekit import logs, migrations
from holdfast_status_api.settings import MigrationSettings

_SCRIPTS = Path(__file__).parent / "migrations"
_SCHEMA = "status"


def migrate() -> None:
    """Bring the schema to this version; safe to run twice, or twice at once."""
    settings = MigrationSettings()
    logs.configure_logging("status-api-migrate", settings.log_level)
    migrations.upgrade(settings.migration_database_url, _SCRIPTS, _SCHEMA)


def pending(connection: Connection) -> str | None:
    """Say in one line what keeps the schema from being this version's, or return ``None``."""
    return migrations.pending(connection, _SCRIPTS, _SCHEMA)
