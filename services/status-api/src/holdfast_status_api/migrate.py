"""Bring the schema ``status`` to what this version of the service needs."""

from __future__ import annotations

from holdfast_servicekit import logs, migrations
from holdfast_status_api.schema import SCHEMA, SCRIPTS
from holdfast_status_api.settings import MigrationSettings


def migrate() -> None:
    """Bring the schema to this version; safe to run twice, or twice at once."""
    settings = MigrationSettings()
    logs.configure_logging("status-api-migrate", settings.log_level)
    migrations.upgrade(settings.migration_database_url, SCRIPTS, SCHEMA)
