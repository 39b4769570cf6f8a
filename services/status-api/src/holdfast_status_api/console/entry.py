"""Coming in and going out: by a token that is pasted, or by a code that the CLI was given."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth import guard, refusals, sessions
from holdfast_status_api.auth.sessions import CODE_SECONDS, Kind
from holdfast_status_api.console.frame import Console, page

_HOME = "console.runs"
_WRONG_CODE = "That address was used already, or is older than a minute. Ask for another one."
_WRONG_TOKEN = "This token is not valid. Nothing of it was kept."  # noqa: S105 - says what happened
_LOST = (
    "This page came by plain http from another machine, so the browser would not keep the session."
    " Use https, or a tunnel that ends on this machine."
)


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.post("/code")
    def code() -> Response:
        """Give whoever has a token an address that signs a browser in, once, within a minute."""
        _, _, token = request.headers["Authorization"].partition(" ")
        secret = console.sessions.put(Kind.CODE, token.strip())
        address = url_for("console.login", code=secret, _external=True)
        answer = jsonify(code=secret, url=address, expires_in=CODE_SECONDS)
        answer.status_code = HTTPStatus.CREATED
        return answer

    @pages.get("/login")
    def login() -> AnyResponse:
        """Show the form; with a code, sign in."""
        given = request.args.get("code")
        if given is None:
            return _form()
        if request.method != "GET":  # a HEAD, which a program sends to look at an address
            return _form()
        token = console.sessions.take_code(given)
        if token is None:
            return _form(_WRONG_CODE, HTTPStatus.FORBIDDEN)
        return _enter(console, token, url_for(_HOME))

    @pages.post("/login")
    def enter() -> AnyResponse:
        """Sign in with a token."""
        console.sessions.bound_form()
        sessions.refuse_foreign()
        return _enter(console, request.form.get("token", "").strip(), _wanted())

    @pages.post("/logout")
    def logout() -> AnyResponse:
        """End the session here and everywhere."""
        console.sessions.end(request.cookies[sessions.COOKIE])
        answer = redirect(url_for("console.login", out="1"), HTTPStatus.SEE_OTHER)
        sessions.forget(_flask(answer))
        return answer


def _enter(console: Console, token: str, target: str) -> AnyResponse:
    if sessions.cookie_would_be_lost():
        return _form(_LOST, HTTPStatus.FORBIDDEN)
    try:
        who = guard.verified(console.authenticator, token)
    except refusals.InvalidTokenError:
        return _form(_WRONG_TOKEN, HTTPStatus.FORBIDDEN)
    if not who.roles:
        raise Problem(HTTPStatus.FORBIDDEN, "No role", f"{who.subject} has no role here.")
    old = request.cookies.get(sessions.COOKIE)
    if old:
        console.sessions.end(old)
    # Not a redirect: where the address was followed from another site, the cookie, which is for
    # this site's own pages only, would not go with it.
    answer = page("entered.html", target=target, subject=who.subject)
    sessions.remember(answer, console.sessions.put(Kind.SESSION, token))
    return answer


def _form(fault: str | None = None, status: int = HTTPStatus.OK) -> Response:
    return page(
        "login.html", status, fault=fault, out=request.args.get("out") == "1", wanted=_wanted()
    )


def _wanted() -> str:
    """Return where to go afterwards: a page of the console and nothing else."""
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted)
    safe = wanted.startswith("/console/") and not parts.scheme and not parts.netloc
    plain = all(" " <= character <= "~" and character != "\\" for character in wanted)
    return wanted if safe and plain else url_for(_HOME)


def _flask(answer: AnyResponse) -> Response:
    if not isinstance(answer, Response):
        raise TypeError("not an answer of this app")
    return answer
