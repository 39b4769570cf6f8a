"""Serve the API: several processes, each with its own engine, connections and threads."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

from flask import Flask

from holdfast_servicekit import gunicorn_conf, logs, tracing
from holdfast_status_api import database, legs
from holdfast_status_api.app import create_app
from holdfast_status_api.auth import authenticator
from holdfast_status_api.auth.tokens import TokenFileError
from holdfast_status_api.background import Background
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.settings import Settings

_BACKGROUND = "holdfast.background"


def serve() -> None:
    """Serve until a signal ends the process."""
    settings = Settings()
    logs.configure_logging("status-api", settings.log_level)
    try:
        # Before the fork: a service that could let nobody in does not start.
        callers = authenticator.make(settings)
    except (authenticator.NoAuthenticationError, TokenFileError) as error:
        sys.exit(f"holdfast_status_api: {error}")
    legs.airports()  # read once, before the fork: the processes share the memory

    def factory() -> Flask:
        tracing.start(settings.app_id)
        engine = database.connect(settings)
        orchestrator = Orchestrator(settings)
        background = Background(settings, engine, orchestrator)
        app = create_app(settings, engine, orchestrator, background, callers)
        app.extensions[_BACKGROUND] = background
        return app

    def started(app: Flask) -> None:
        background = app.extensions[_BACKGROUND]
        background.start()
        _before_the_end(background.watches.let_go)

    def stopped(app: Flask) -> None:
        app.extensions[_BACKGROUND].stop()
        tracing.stop()

    gunicorn_conf.serve(
        factory,
        settings,
        workers=settings.workers,
        threads=settings.threads + settings.held_requests,
        started=started,
        stopped=stopped,
    )


def _before_the_end(act: Callable[[], None]) -> None:
    """Act when the process is asked to end: gunicorn waits for requests first, also for held ones.

    Called where gunicorn's own handler is in place, in the main thread.
    """
    server = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        act()
        if callable(server):
            server(number, frame)

    signal.signal(signal.SIGTERM, end)
