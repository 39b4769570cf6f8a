"""The console's sessions: a cookie stands for a token, and is asked about with every request.

A browser keeps a random secret and the database keeps the token, sealed with that secret. So the
database tells nobody a token, a session ends everywhere at once, and a token that is no longer
taken ends its sessions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from flask import Response, g, request
from sqlalchemy import ColumnElement, Engine, delete, func, insert, select

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth import refusals
from holdfast_status_api.auth.callers import Caller
from holdfast_status_api.tables import console_keys

COOKIE = "holdfast_console"
COOKIE_PATH = "/console"
FORM_FIELD = "csrf"
CODE_SECONDS = 60
SESSION_SECONDS = 12 * 3600
_SECRET_BYTES = 32
_LONGEST_SECRET = 100
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Kind(StrEnum):
    """What a secret is good for."""

    #: Once, to begin a session.
    CODE = "code"
    SESSION = "session"


_SECONDS = {Kind.CODE: CODE_SECONDS, Kind.SESSION: SESSION_SECONDS}


class Sessions:
    """Secrets that stand for tokens, in PostgreSQL: any process knows those of all others."""

    def __init__(self, engine: Engine, largest_form_bytes: int) -> None:
        self._engine = engine
        self._largest_form_bytes = largest_form_bytes

    def put(self, kind: Kind, token: str) -> str:
        """Keep a token that was found valid, and return the secret that stands for it."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now = func.clock_timestamp()
        with self._engine.begin() as connection:
            connection.execute(delete(console_keys).where(console_keys.c.expires_at < now))
            connection.execute(
                insert(console_keys).values(
                    digest=_digest(secret),
                    kind=kind,
                    sealed=_seal(secret).encrypt(token.encode()),
                    expires_at=now + timedelta(seconds=_SECONDS[kind]),
                )
            )
        return secret

    def take_code(self, code: str) -> str | None:
        """Return the token that a code stands for, once; of two who ask at once, one gets it."""
        with self._engine.begin() as connection:
            sealed = connection.scalar(
                delete(console_keys)
                .where(*_is(code, Kind.CODE), console_keys.c.expires_at > func.clock_timestamp())
                .returning(console_keys.c.sealed)
            )
        return _opened(code, sealed)

    def end(self, secret: str) -> None:
        """End the session for good, also for whoever has a copy of the cookie."""
        with self._engine.begin() as connection:
            connection.execute(delete(console_keys).where(*_is(secret, Kind.SESSION)))

    def identify(self, identify: Callable[[str], Caller]) -> Caller:
        """Return whose session the request at hand has, or raise the 401.

        Raises the 403 for whatever could change something and does not come from a form of ours.
        """
        secret = request.cookies.get(COOKIE, "")
        token = self._token(secret)
        if token is None:
            raise refusals.nobody()
        try:
            who = identify(token)
        except refusals.InvalidTokenError as error:
            self.end(secret)
            raise refusals.invalid(error) from None
        g.console_secret = secret
        if request.method not in _READS:
            self.bound_form()
            refuse_foreign()
            if not hmac.compare_digest(
                request.form.get(FORM_FIELD, "").encode(), form_token().encode()
            ):
                raise _foreign("The form's token is missing, or is that of another session.")
        return who

    def bound_form(self) -> None:
        """Bound what a form may hold, before it is read."""
        # Percent-encoding makes up to three bytes of one.
        request.max_content_length = 3 * self._largest_form_bytes + 64 * 1024
        request.max_form_memory_size = request.max_content_length

    def _token(self, secret: str) -> str | None:
        if not secret or len(secret) > _LONGEST_SECRET:
            return None
        query = select(console_keys.c.sealed).where(
            *_is(secret, Kind.SESSION), console_keys.c.expires_at > func.clock_timestamp()
        )
        with self._engine.connect() as connection:
            return _opened(secret, connection.scalar(query))


def form_token() -> str:
    """Return what every form of the session at hand carries."""
    return _derived(g.console_secret, b"form").hex()


def refuse_foreign() -> None:
    """Raise the 403 for a form that a page of another site has sent."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.host
    if foreign:
        raise _foreign("The form was sent by a page of another site.")


def remember(response: Response, secret: str) -> None:
    """Hand the secret to the browser: no script reads it, and no other site makes it be sent."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=SESSION_SECONDS,
        path=COOKIE_PATH,
        secure=not _plain_loopback(),
        httponly=True,
        samesite="Strict",
    )


def forget(response: Response) -> None:
    """Have the browser drop the cookie."""
    response.delete_cookie(
        COOKIE, path=COOKIE_PATH, secure=not _plain_loopback(), httponly=True, samesite="Strict"
    )


def cookie_would_be_lost() -> bool:
    """Say whether the browser would not keep the cookie: plain http beyond this machine."""
    return not request.is_secure and not _plain_loopback()


def _plain_loopback() -> bool:
    if request.is_secure:
        return False
    host = urlsplit(f"//{request.host}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _foreign(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, "The form was not taken", f"{detail} Nothing was changed.")


def _is(secret: str, kind: Kind) -> tuple[ColumnElement[bool], ...]:
    return console_keys.c.digest == _digest(secret), console_keys.c.kind == kind


def _opened(secret: str, sealed: bytes | None) -> str | None:
    if sealed is None:
        return None
    try:
        return _seal(secret).decrypt(bytes(sealed)).decode()
    except InvalidToken:
        return None


def _digest(secret: str) -> str:
    return _derived(secret, b"name").hex()


def _seal(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(secret, b"seal")))


def _derived(secret: str, purpose: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"holdfast console " + purpose, hashlib.sha256)
