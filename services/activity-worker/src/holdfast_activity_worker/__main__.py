"""``python -m holdfast_activity_worker serve|migrate``."""

from __future__ import annotations

import argparse

from holdfast_activity_worker.app import serve
from holdfast_activity_worker.migrate import migrate
from holdfast_activity_worker.settings import MigrationSettings, WorkerSettings
from holdfast_servicekit.logs import configure_logging


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m holdfast_activity_worker")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="take activities from the sidecar until a signal comes")
    commands.add_parser("migrate", help="bring the database schema to what this version needs")
    if parser.parse_args().command == "serve":
        serve(WorkerSettings())
    else:
        settings = MigrationSettings()
        configure_logging("activity-worker", settings.log_level)
        migrate(settings.migration_database_url.get_secret_value())


if __name__ == "__main__":
    main()
