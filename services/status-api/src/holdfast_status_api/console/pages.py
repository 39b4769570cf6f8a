"""The console as a part of the app."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy import Engine

from holdfast_status_api.auth.authenticator import Authenticator
from holdfast_status_api.auth.sessions import Sessions
from holdfast_status_api.background import Background
from holdfast_status_api.console import (
    acting,
    certificates_page,
    entry,
    frame,
    hooks,
    list_page,
    log_page,
    many,
    run_page,
    starting,
)
from holdfast_status_api.index import RunIndex
from holdfast_status_api.looking import Looks
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.settings import Settings


def blueprint(
    settings: Settings,
    engine: Engine,
    orchestrator: Orchestrator,
    background: Background,
    authenticator: Authenticator,
    looks: Looks,
    sessions: Sessions,
) -> Blueprint:
    """Return the pages under ``/console``."""
    pages = Blueprint(
        "console",
        __name__,
        url_prefix="/console",
        static_folder="static",
        template_folder="templates",
    )
    console = frame.Console(
        settings=settings,
        engine=engine,
        orchestrator=orchestrator,
        background=background,
        authenticator=authenticator,
        index=RunIndex(engine),
        looks=looks,
        sessions=sessions,
    )
    frame.install(pages)
    for part in (
        entry,
        list_page,
        run_page,
        acting,
        starting,
        many,
        hooks,
        log_page,
        certificates_page,
    ):
        part.add(pages, console)
    return pages
