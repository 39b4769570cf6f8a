"""The tokens of a local stack: one for each role, made at its first start."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Generator, Mapping

import httpx

from holdfast_local import files
from holdfast_local.folders import StackFolder

ROLES = ("viewer", "operator", "approver", "admin")
_DECISION = re.compile(r"/runs/[^/]+/events/human_approval")


def load_or_create(folder: StackFolder) -> dict[str, str]:
    """Give the token of each role, made on the first call. Call it under the stack's lock.

    The status API gets a file of their hashes; its subjects are named as the roles are.
    """
    tokens: dict[str, str] = files.read_json(folder.tokens) or {
        role: f"holdfast_{role}_{secrets.token_urlsafe(32)}" for role in ROLES
    }
    files.write_json(folder.tokens, tokens)
    files.write_json(folder.token_hashes, hashed(tokens))
    return tokens


def hashed(tokens: Mapping[str, str]) -> list[dict[str, str]]:
    """Give what the status API knows of the tokens."""
    return [
        {"subject": role, "role": role, "sha256": hashlib.sha256(token.encode()).hexdigest()}
        for role, token in tokens.items()
    ]


class EveryRole(httpx.Auth):
    """Send the approver's token where an order is decided, and the admin's everywhere else.

    Nobody decides an order of their own, so one token cannot do all that a workload does. A
    request that has an ``Authorization`` header keeps it.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = tokens

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header; see httpx."""
        role = "approver" if _DECISION.fullmatch(request.url.path) else "admin"
        request.headers.setdefault("Authorization", f"Bearer {self._tokens[role]}")
        yield request
