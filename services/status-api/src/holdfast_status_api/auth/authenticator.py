"""Bearer tokens, whoever made them: looked up in the file, or verified by the issuer's key."""

from __future__ import annotations

import re

from holdfast_status_api.auth import keys
from holdfast_status_api.auth.callers import Caller
from holdfast_status_api.auth.oidc import Issuer
from holdfast_status_api.auth.refusals import InvalidTokenError
from holdfast_status_api.auth.tokens import TokenFile
from holdfast_status_api.settings import Settings

_LONGEST_TOKEN = 8192
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class NoAuthenticationError(Exception):
    """Nobody could be authenticated with these settings; the text says what is missing."""


class Authenticator:
    """Tells callers by their tokens. There is no caller without one."""

    def __init__(self, tokens: TokenFile | None, issuer: Issuer | None) -> None:
        if tokens is None and issuer is None:
            raise NoAuthenticationError(
                "no tokens and no issuer: set HOLDFAST_TOKENS_FILE, or HOLDFAST_OIDC_ISSUER and"
                " HOLDFAST_OIDC_AUDIENCE; there is no anonymous access"
            )
        self._tokens = tokens
        self._issuer = issuer

    def identify(self, token: str) -> Caller:
        """Return who has this token.

        Raises ``InvalidTokenError``, or ``KeysUnavailableError`` while that cannot be told.
        """
        if len(token) <= _LONGEST_TOKEN:
            if self._tokens is not None and (found := self._tokens.find(token)) is not None:
                return found
            if self._issuer is not None and _JWT.fullmatch(token):
                return self._issuer.identify(token)
        raise InvalidTokenError("The token is not known")


def make(settings: Settings) -> Authenticator:
    """Return the authenticator of these settings.

    Raises ``NoAuthenticationError`` or ``TokenFileError`` if nobody, or not all who should,
    could be authenticated.
    """
    tokens = None if settings.tokens_file is None else TokenFile(settings.tokens_file)
    return Authenticator(tokens, _issuer(settings))


def _issuer(settings: Settings) -> Issuer | None:
    name = settings.oidc_issuer
    if not name:
        return None
    if not settings.oidc_audience:
        raise NoAuthenticationError("HOLDFAST_OIDC_ISSUER needs HOLDFAST_OIDC_AUDIENCE")
    if settings.oidc_jwks_file is not None:
        load = keys.from_file(settings.oidc_jwks_file)
    else:
        url = settings.oidc_jwks_url
        if not keys.is_safe_url(url or name):
            raise NoAuthenticationError(f"the issuer's keys must come by https: {url or name}")
        load = keys.from_url(url) if url else keys.discovered(name)
    return Issuer(
        name,
        settings.oidc_audience,
        keys.Keys(load),
        settings.oidc_role_claim,
        settings.oidc_roles,
    )
