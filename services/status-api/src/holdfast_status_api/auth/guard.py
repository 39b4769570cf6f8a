"""The one door: nothing that is not public is reached without a token and a role for it."""

from __future__ import annotations

import re
from http import HTTPStatus

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter
from sqlalchemy import Engine
from werkzeug.middleware.proxy_fix import ProxyFix

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth import audit, refusals
from holdfast_status_api.auth.authenticator import Authenticator
from holdfast_status_api.auth.callers import Caller
from holdfast_status_api.auth.keys import KeysUnavailableError
from holdfast_status_api.auth.permissions import Rule, rule_for
from holdfast_status_api.auth.rates import Rates
from holdfast_status_api.auth.sessions import Sessions
from holdfast_status_api.settings import Settings

#: RFC 6750, section 2.1. Two headers reach us as one with a comma, which is no token.
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_RETRY_AFTER_SECONDS = "5"
_REFUSED = Counter("holdfast_api_refused_total", "Requests refused at the door.", ("why",))
_log = structlog.get_logger()


def install(
    app: Flask,
    settings: Settings,
    engine: Engine,
    authenticator: Authenticator,
    sessions: Sessions,
) -> None:
    """Ask every request of the app for its token, its budget and its role, in this order.

    Without a token the answer is the same whatever was asked for: whether a route, a workflow
    or a run exists is told to no one who may not know.
    """
    if settings.trusted_proxies:
        proxies = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    rates = Rates(settings)

    @app.before_request
    def enter() -> None:
        url_rule = request.url_rule
        values = request.view_args or {}
        rule = None if url_rule is None else rule_for(request.method, url_rule.rule, values)
        if rule is not None and rule.public:
            return
        g.caller = (
            sessions.identify(lambda token: verified(authenticator, token))
            if rule is not None and rule.session
            else _identified(authenticator)
        )
        try:
            g.budget = rates.take(g.caller.subject, request.method)
        except Problem:
            _REFUSED.labels("rate").inc()
            raise
        # Without a rule of the map it is to be a 404 or a 405; OPTIONS only tells the methods.
        if url_rule is not None and request.method != "OPTIONS":
            _authorise(g.caller, rule)

    @app.after_request
    def leave(response: Response) -> Response:
        if "budget" in g:
            for name, value in g.budget.headers().items():
                response.headers.setdefault(name, value)
        audit.finish(engine, response.status_code)
        return response


def _authorise(who: Caller, rule: Rule | None) -> None:
    if rule is None:
        _log.error("a route has no rule, so it is denied", route=str(request.url_rule))
        raise Problem(HTTPStatus.FORBIDDEN, "Denied", "No role may use this route.")
    if rule.action:
        audit.begin(rule.action, request.view_args or {})
    if not rule.roles & who.roles:
        _REFUSED.labels("role").inc()
        raise refusals.forbidden(who, rule.roles)


def _identified(authenticator: Authenticator) -> Caller:
    header = request.headers.get("Authorization")
    if header is None or not header.lower().startswith("bearer"):
        _REFUSED.labels("no token").inc()
        raise refusals.nobody()
    match = _BEARER.fullmatch(header)
    if match is None:
        _REFUSED.labels("malformed").inc()
        raise refusals.malformed()
    try:
        return verified(authenticator, match[1])
    except refusals.InvalidTokenError as error:
        raise refusals.invalid(error) from None


def verified(authenticator: Authenticator, token: str) -> Caller:
    """Return whose token it is; raises ``InvalidTokenError``, or the 503 while nobody can tell."""
    try:
        return authenticator.identify(token)
    except refusals.InvalidTokenError:
        _REFUSED.labels("invalid token").inc()
        raise
    except KeysUnavailableError:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The token cannot be checked",
            "The issuer's keys cannot be had now.",
            headers={"Retry-After": _RETRY_AFTER_SECONDS},
        ) from None
