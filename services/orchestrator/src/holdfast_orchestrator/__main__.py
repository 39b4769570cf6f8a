"""``python -m holdfast_orchestrator``: ``serve`` until a signal ends it, or ``replay`` and say."""

from __future__ import annotations

import typer
from flask import Flask

from holdfast_orchestrator.app import create_app
from holdfast_orchestrator.replay.command import replay
from holdfast_orchestrator.settings import OrchestratorSettings
from holdfast_servicekit import tracing
from holdfast_servicekit.gunicorn_conf import serve as serve_app
from holdfast_servicekit.logs import configure_logging
from holdfast_servicekit.runtime import SupervisedRuntime

cli = typer.Typer(no_args_is_help=True, add_completion=False)


@cli.callback()
def main() -> None:
    """Run Holdfast's orchestrator."""


@cli.command()
def serve() -> None:
    """Serve workflows, the management API, health and metrics in one process."""
    settings = OrchestratorSettings()
    configure_logging("orchestrator", settings.log_level)

    def factory() -> Flask:
        tracing.start(settings.app_id)
        app, runtime = create_app(settings)
        app.extensions[SupervisedRuntime.__name__] = runtime
        return app

    def stopped(app: Flask) -> None:
        app.extensions[SupervisedRuntime.__name__].stop()
        tracing.stop()

    # One process: the engine hands work to one stream, and the runtime lives in it.
    serve_app(
        factory,
        settings,
        started=lambda app: app.extensions[SupervisedRuntime.__name__].start(),
        stopped=stopped,
    )


cli.command()(replay)


if __name__ == "__main__":
    cli()
