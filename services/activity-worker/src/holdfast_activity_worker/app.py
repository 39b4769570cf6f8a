"""One serving process: health and metrics over HTTP, the activities over the sidecar's stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask
from sqlalchemy import Engine

from holdfast_activity_worker.activities import implementations
from holdfast_activity_worker.geodesy import airports
from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.ledger import Ledger
from holdfast_activity_worker.metrics import WorkerMetrics
from holdfast_activity_worker.outbox import Outbox
from holdfast_activity_worker.presence import Presence
from holdfast_activity_worker.readiness import database_problem, events_problem
from holdfast_activity_worker.registration import build_runtime
from holdfast_activity_worker.settings import WorkerSettings
from holdfast_servicekit import gunicorn_conf, health, metrics, problems, tracing
from holdfast_servicekit.db import make_engine
from holdfast_servicekit.logs import configure_logging
from holdfast_servicekit.runtime import SupervisedRuntime
from holdfast_servicekit.sidecar import Sidecar

#: A frozen process may hold a lock for a while; whoever waits for it must not give up before.
LOCK_TIMEOUT_SECONDS = 75
STATEMENT_TIMEOUT_SECONDS = 90
_EXTENSION = "holdfast-activity-worker"


@dataclass(frozen=True)
class Worker:
    """What a serving process has besides its HTTP server."""

    runtime: SupervisedRuntime
    outbox: Outbox
    presence: Presence
    sources: JobSources
    engines: tuple[Engine, ...]

    def start(self) -> None:
        """Take work. Call it after the fork."""
        airports()  # now, and not under the first leg
        self.runtime.start()
        self.outbox.start()
        self.presence.start()

    def stop(self) -> None:
        """Take no more work, finish what runs, let go of everything."""
        self.runtime.stop()
        self.outbox.stop()
        self.presence.stop()
        self.sources.close()
        for engine in self.engines:
            engine.dispose()
        tracing.stop()


def create_app(settings: WorkerSettings) -> Flask:
    """Return the HTTP application of one process, with a worker that is not started yet."""
    tracing.start(settings.app_id)
    counted = WorkerMetrics()
    session_name = f"{settings.app_id}/{settings.process_name}"
    url = settings.database_url.get_secret_value()
    ledger_engine = make_engine(
        url,
        session_name,
        pool_size=settings.activity_threads,
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
        lock_timeout_seconds=LOCK_TIMEOUT_SECONDS,
        pre_ping=False,  # the ledger tries again by itself, and a ping costs each attempt a trip
    )
    other_engine = make_engine(
        url, session_name, pool_size=3, statement_timeout_seconds=5, lock_timeout_seconds=3
    )
    ledger = Ledger(ledger_engine, settings.process_name, counted)
    sources = JobSources(settings.job_hosts)
    catalogue = implementations(sources)
    webhook = str(settings.webhook_url) if settings.webhook_url else None
    runtime = SupervisedRuntime(
        lambda: build_runtime(
            ledger,
            catalogue,
            port=settings.dapr_grpc_port,
            threads=settings.activity_threads,
        ),
        Sidecar.of(settings),
    )
    worker = Worker(
        runtime=runtime,
        outbox=Outbox(other_engine, webhook, settings.app_id, counted),
        presence=Presence(other_engine, settings.process_name, runtime.ready),
        sources=sources,
        engines=(ledger_engine, other_engine),
    )
    app = Flask("holdfast_activity_worker")
    tracing.instrument(app)
    problems.register(app)
    app.register_blueprint(metrics.blueprint())
    app.register_blueprint(
        health.blueprint(
            live=worker.runtime.live,
            ready={
                "sidecar": worker.runtime.ready,
                "database": lambda: database_problem(other_engine),
                "events": lambda: events_problem(other_engine),
            },
        )
    )
    app.extensions[_EXTENSION] = worker
    return app


def serve(settings: WorkerSettings) -> None:
    """Serve until a signal ends the process."""
    configure_logging(settings.app_id, settings.log_level)
    gunicorn_conf.serve(
        lambda: create_app(settings),
        settings,
        workers=1,
        threads=4,
        started=lambda app: _worker(app).start(),
        stopped=lambda app: _worker(app).stop(),
    )


def _worker(app: Flask) -> Worker:
    return cast("Worker", app.extensions[_EXTENSION])
