"""Alembic migrations that several replicas may start at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import text

from holdfast_servicekit.db import make_engine


def upgrade(url: str, script_location: Path, version_schema: str) -> None:
    """Bring the schema to the newest revision; the second of two at once finds nothing to do."""
    engine = make_engine(
        url,
        f"migrate-{version_schema}",
        pool_size=1,
        statement_timeout_seconds=300,
        lock_timeout_seconds=120,
    )
    try:
        with engine.connect() as connection:
            connection.execute(
                text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"),
                {"name": f"migrate:{version_schema}"},
            )
            connection.commit()
            config = _config(script_location)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def run_env(context: EnvironmentContext, version_schema: str) -> None:
    """Run the migrations on the connection that `upgrade` made; all of them, or none."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        version_table_schema=version_schema,
        target_metadata=None,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def _config(script_location: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location).replace("%", "%%"))
    return config
