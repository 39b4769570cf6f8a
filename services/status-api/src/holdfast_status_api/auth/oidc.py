"""JSON Web Tokens of one OpenID Connect issuer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from holdfast_status_api.auth.callers import Caller, Role, is_subject
from holdfast_status_api.auth.keys import KEY_TYPES, Keys
from holdfast_status_api.auth.refusals import InvalidTokenError

#: How far the issuer's clock may be from this one.
LEEWAY_SECONDS = 30
_LONGEST_KEY_ID = 200


@dataclass(frozen=True)
class Issuer:
    """Takes the tokens that one issuer made for this service, and no others."""

    name: str
    audience: str
    keys: Keys
    role_claim: str
    #: Which role a value of the claim gives; a role's own name gives that role if this is empty.
    roles: Mapping[str, Role]

    def identify(self, token: str) -> Caller:
        """Return whom the issuer vouches for.

        Raises ``InvalidTokenError`` that says what is wrong, and ``KeysUnavailableError``.
        """
        claims = self._verified(token)
        subject = claims["sub"]
        if not isinstance(subject, str) or not is_subject(subject):
            raise InvalidTokenError("The token's subject is not usable")
        return Caller(subject, self._roles(claims))

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except (PyJWTError, RecursionError):
            raise InvalidTokenError("The token is not known") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
            raise InvalidTokenError("The token's algorithm is not accepted")
        if key_id is not None and len(str(key_id)) > _LONGEST_KEY_ID:
            raise InvalidTokenError("The token's key is not the issuer's")
        key = self.keys.find(key_id, algorithm)
        if key is None:
            raise InvalidTokenError("The token's key is not the issuer's")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self.name,
                audience=self.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except PyJWTError as error:
            raise InvalidTokenError(_why(error)) from None
        return claims

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        value = _claim(claims, self.role_claim)
        held = value if isinstance(value, list) else [value]
        mapping = self.roles or {role.value: role for role in Role}
        return frozenset(
            mapping[name] for name in held if isinstance(name, str) and name in mapping
        )


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by its path with dots, as some issuers nest roles."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _why(error: PyJWTError) -> str:
    if isinstance(error, MissingRequiredClaimError):
        return f"The token lacks the claim {error.claim}"
    reasons: dict[type[PyJWTError], str] = {
        ExpiredSignatureError: "The token has expired",
        ImmatureSignatureError: "The token is not valid yet",
        InvalidAudienceError: "The token is for another audience",
        InvalidIssuerError: "The token is of another issuer",
        InvalidSignatureError: "The token's signature is wrong",
    }
    return next(
        (text for kind, text in reasons.items() if isinstance(error, kind)),
        "The token is not right",
    )
