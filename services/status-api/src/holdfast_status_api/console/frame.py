"""What all pages share: their parts, their headers, and how a refusal looks to a person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import structlog
from flask import Blueprint, Response, make_response, render_template, request, url_for
from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth import sessions
from holdfast_status_api.auth.authenticator import Authenticator
from holdfast_status_api.auth.callers import caller_or_none
from holdfast_status_api.auth.permissions import RULES
from holdfast_status_api.auth.sessions import Sessions
from holdfast_status_api.background import Background
from holdfast_status_api.console import shown
from holdfast_status_api.index import RunIndex
from holdfast_status_api.looking import Looks
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.settings import Settings

#: Nothing from elsewhere, nothing in the page itself that runs or styles.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STATIC = Path(__file__).parent / "static"
_ASSET_SECONDS = 86400
_log = structlog.get_logger()


@dataclass(frozen=True)
class Console:
    """All that the pages are made from: the functions that the API's routes use, too."""

    settings: Settings
    engine: Engine
    orchestrator: Orchestrator
    background: Background
    authenticator: Authenticator
    index: RunIndex
    looks: Looks
    sessions: Sessions


def may(route: str) -> bool:
    """Say whether the caller's role allows what this route of the API does."""
    who = caller_or_none()
    return who is not None and bool(RULES[route].roles & who.roles)


def page(template: str, status: int = HTTPStatus.OK, **values: object) -> Response:
    """Return a page; what is put into it is escaped."""
    return make_response(render_template(f"console/{template}", **values), status)


def fingerprint(parts: Iterable[str]) -> str:
    """Return a short text that changes with any of the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def install(pages: Blueprint) -> None:
    """Give the pages their headers, their words for values, and their way to say no."""
    pages.app_template_filter("document")(shown.document)
    pages.app_template_filter("line")(shown.line)
    pages.app_template_filter("moment")(shown.moment)
    pages.app_template_filter("machine_time")(shown.machine_time)
    pages.app_template_filter("words")(shown.words)

    @pages.context_processor
    def words() -> dict[str, object]:
        return {
            "who": caller_or_none(),
            "asset": _asset,
            "csrf": sessions.form_token,
            "may": may,
            "duration": shown.duration,
        }

    @pages.after_request
    def protect(response: Response) -> Response:
        # What has a policy of its own is no page of ours, and has a stricter one.
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Not no-referrer: then the Origin of our own forms would be null.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if request.endpoint == "console.static":
            response.headers["Cache-Control"] = f"public, max-age={_ASSET_SECONDS}, immutable"
        else:
            response.headers["Cache-Control"] = "no-store"
        return response

    pages.register_error_handler(Problem, _refused)
    pages.register_error_handler(HTTPException, _refused_by_werkzeug)
    for error in (OperationalError, InterfaceError, PoolTimeoutError):
        pages.register_error_handler(error, _unavailable)
    pages.register_error_handler(Exception, _unexpected)


def _refused(problem: Problem) -> Response:
    if problem.status == HTTPStatus.UNAUTHORIZED and request.endpoint != "console.code":
        return _to_login()
    if request.endpoint == "console.code":
        return problem.response()
    answer = page("problem.html", problem.status, problem=problem.body)
    for name, value in problem.headers.items():
        answer.headers.setdefault(name, value)
    return answer


def _to_login() -> Response:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/console/runs"
    login = url_for("console.login")
    if "HX-Request" in request.headers:
        # A part of a page was asked for: the page itself has to go.
        answer = make_response("", HTTPStatus.UNAUTHORIZED)
        answer.headers["HX-Redirect"] = login
        return answer
    if request.method != "GET":
        ended = {"title": "You are not signed in", "status": 401, "detail": "Nothing was changed."}
        return page("problem.html", HTTPStatus.UNAUTHORIZED, problem=ended)
    answer = make_response("", HTTPStatus.SEE_OTHER)
    query = "" if wanted in {"/console", "/console/runs"} else f"?next={quote(wanted, safe='')}"
    answer.headers["Location"] = f"{login}{query}"
    return answer


def _refused_by_werkzeug(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if error.response is not None or status < HTTPStatus.BAD_REQUEST:
        return make_response(error)
    return _refused(Problem(status, error.name, error.description))


def _unavailable(error: Exception) -> Response:
    _log.warning("the database did not answer", error=str(error).splitlines()[0])
    return _refused(
        Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database is not available",
            "Nothing was changed. Try again in a moment.",
            headers={"Retry-After": "1"},
        )
    )


def _unexpected(error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error)
    return _refused(
        Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Internal Server Error",
            "The error is in the service's log.",
        )
    )


@cache
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _asset(name: str) -> str:
    return url_for("console.static", filename=name, v=_version(name))
