"""The refusals of RFC 6750, as problems."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth.callers import Caller, Role, named

_CHALLENGE = 'Bearer realm="holdfast"'


class InvalidTokenError(Exception):
    """A token that proves nothing; the text says why, and repeats nothing of the token."""


def nobody() -> Problem:
    """Return the 401 for a request without a bearer token."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "A token is needed",
        "Send the header Authorization: Bearer <token>.",
        headers={"WWW-Authenticate": _CHALLENGE},
    )


def malformed() -> Problem:
    """Return the 400 for an Authorization header that holds no single token."""
    why = "The Authorization header must hold the word Bearer and one token"
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "Malformed credentials",
        f"{why}.",
        headers={"WWW-Authenticate": _challenge("invalid_request", why)},
    )


def invalid(error: InvalidTokenError) -> Problem:
    """Return the 401 for a token that is not taken."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "The token is not valid",
        f"{error}.",
        headers={"WWW-Authenticate": _challenge("invalid_token", str(error))},
    )


def forbidden(who: Caller, needed: Iterable[Role]) -> Problem:
    """Return the 403 that names the roles one of which is needed."""
    roles = named(needed).replace(",", " or ")
    why = f"This needs the role {roles}; the caller has {who.role or 'none'}"
    return Problem(
        HTTPStatus.FORBIDDEN,
        "The role does not allow this",
        f"{why}.",
        headers={"WWW-Authenticate": _challenge("insufficient_scope", why)},
        roles_needed=[role for role in Role if role in frozenset(needed)],
    )


def _challenge(error: str, description: str) -> str:
    return f'{_CHALLENGE}, error="{error}", error_description="{description}"'
