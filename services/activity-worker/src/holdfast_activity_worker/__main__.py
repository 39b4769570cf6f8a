"""``python -m holdfast_activity_worker serve|migrate``."""

from __future__ import annotations

import argparse


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m holdfast_activity_worker")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="take activities from the sidecar until a signal comes")
    commands.add_parser("migrate", help="bring the database schema to what this version needs")
    # Each command loads what it needs: a migration has no use for the engine's client.
    if parser.parse_args().command == "serve":
        from holdfast_activity_worker.app import serve  # noqa: PLC0415
        from holdfast_activity_worker.settings import WorkerSettings  # noqa: PLC0415

        serve(WorkerSettings())
    else:
        from holdfast_activity_worker.migrate import migrate  # noqa: PLC0415
        from holdfast_activity_worker.settings import MigrationSettings  # noqa: PLC0415
        from holdfast_servicekit.logs import configure_logging  # noqa: PLC0415

        settings = MigrationSettings()
        configure_logging("activity-worker", settings.log_level)
        migrate(settings.migration_database_url.get_secret_value())


if __name__ == "__main__":
    main()
