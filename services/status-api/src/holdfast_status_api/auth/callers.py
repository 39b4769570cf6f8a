"""Who calls: a subject with roles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flask import g, has_request_context

LONGEST_SUBJECT = 200
#: No control characters and no half surrogates: a subject is stored, logged and shown.
_SUBJECT = re.compile(rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{LONGEST_SUBJECT}}}")


class Role(StrEnum):
    """What a caller is here for. Each may read; in the order of how they are named."""

    ADMIN = "admin"
    APPROVER = "approver"
    OPERATOR = "operator"
    VIEWER = "viewer"


@dataclass(frozen=True)
class Caller:
    """Who was authenticated. Without a role, they may do nothing."""

    subject: str
    roles: frozenset[Role]

    @property
    def role(self) -> str:
        """The roles in one word, or in a few with commas."""
        return named(self.roles)


def named(roles: Iterable[Role]) -> str:
    """Return the names of roles, always in the same order."""
    held = frozenset(roles)
    return ",".join(role for role in Role if role in held)


def is_subject(text: str) -> bool:
    """Say whether the text can be a subject."""
    return _SUBJECT.fullmatch(text) is not None


def caller() -> Caller:
    """Return who makes the request at hand; every route but the public ones has one."""
    found: Caller = g.caller
    return found


def caller_or_none() -> Caller | None:
    """Return who makes the request at hand, or ``None`` outside of one or before it is known."""
    return g.get("caller") if has_request_context() else None
