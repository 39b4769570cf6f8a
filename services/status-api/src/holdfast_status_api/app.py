"""Put the status API together: routes, background threads, health and metrics."""

from __future__ import annotations

from flask_openapi3.openapi import OpenAPI
from sqlalchemy import Engine

from holdfast_servicekit import health, logs, metrics, problems, tracing
from holdfast_status_api import bodies, database, document, parameters, traffic
from holdfast_status_api.answers import ProblemAnswer
from holdfast_status_api.auth import guard
from holdfast_status_api.auth.authenticator import Authenticator
from holdfast_status_api.auth.sessions import Sessions
from holdfast_status_api.background import Background
from holdfast_status_api.console import pages
from holdfast_status_api.doctor import Doctor
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.pace import Pace
from holdfast_status_api.routes import (
    actions,
    batches,
    catalogue,
    certificates,
    events,
    identity,
    recordings,
    runs,
    status,
    webhooks,
    workflows,
)
from holdfast_status_api.routes import doctor as doctor_route
from holdfast_status_api.settings import Settings
from holdfast_status_api.survey import Survey
from holdfast_status_api.turns import Turns


def create_app(
    settings: Settings,
    engine: Engine,
    orchestrator: Orchestrator,
    background: Background,
    authenticator: Authenticator,
) -> OpenAPI:
    """Return the app. Call it after the fork; it starts nothing."""
    looks, watches, pace = background.looks, background.watches, Pace(engine)
    turns = Turns(settings.threads)
    doctor = Doctor(engine, orchestrator, settings)
    app = OpenAPI(
        __name__,
        info=document.INFO,
        doc_ui=False,
        validation_error_callback=parameters.refuse,
        validation_error_model=ProblemAnswer,
        static_folder=None,
    )
    logs.bind_requests(app)
    tracing.instrument(app)
    problems.register(app)
    database.register_unavailable(app)
    traffic.measure(app)
    sessions = Sessions(engine, settings.largest_document_bytes)
    guard.install(app, settings, engine, authenticator, sessions)
    bodies.drain_unread(app)
    for api in (
        catalogue.api(),
        workflows.api(settings, engine, background, pace),
        status.api(looks, watches, pace, turns),
        runs.api(settings, engine, orchestrator, looks),
        recordings.api(settings, engine, orchestrator),
        actions.api(settings, engine, orchestrator, background, looks, pace, doctor),
        doctor_route.api(doctor),
        events.api(settings, engine, background),
        batches.api(settings, engine),
        identity.api(engine),
        webhooks.api(settings, engine),
        certificates.api(settings, engine),
    ):
        app.register_api(api)
    app.register_blueprint(document.blueprint(app))
    app.register_blueprint(
        pages.blueprint(settings, engine, orchestrator, background, authenticator, looks, sessions)
    )
    app.register_blueprint(
        health.blueprint(
            background.dead,
            # Not the orchestrator: runs are accepted while it is away.
            {
                "database": lambda: database.missing(engine),
                "migrations": lambda: database.unmigrated(engine),
                "sidecar": orchestrator.sidecar_missing,
            },
        )
    )
    app.register_blueprint(metrics.blueprint(Survey(engine)))
    app.wsgi_app = turns.bound(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app
