"""The audit log: who changed what, or tried to, when, from where, and what came of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog
from flask import g, has_request_context, request
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth.callers import caller_or_none
from holdfast_status_api.tables import audit

_LONGEST_TARGET = 500
_LONGEST_ADDRESS = 100
_LONGEST_REASON = 500
_ATTEMPTS = 3
_UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_log = structlog.get_logger()


@dataclass(frozen=True)
class Entry:
    """One line of the log."""

    at: datetime
    subject: str
    role: str
    action: str
    target: str
    status: int
    address: str
    reason: str


def begin(action: str, values: Mapping[str, Any]) -> None:
    """Say what the request at hand is about to change; its path names what."""
    g.audit_action = action
    g.audit_target = "/".join(str(value) for value in values.values())


def about(target: str) -> None:
    """Say what the entries from here on are about, where one request changes many things."""
    if _is_open():
        g.audit_target = target
        g.audit_is_named = True


def because(reason: str) -> None:
    """Say why the request at hand does what it does, if its caller said so."""
    if _is_open():
        g.audit_reason = reason


def record(connection: Connection, status: HTTPStatus, target: str | None = None) -> None:
    """Write the request's entry in the transaction that makes its change, once.

    The change and its entry are there both, or neither is. Outside of a request nothing is
    written: what the service does by itself is nobody's deed. What `about` said goes before the
    target.
    """
    written = entry_of(status, target)
    if written is not None:
        connection.execute(insert(audit).values(written))
        recorded(status, target)


def entry_of(status: HTTPStatus, target: str | None = None) -> dict[str, Any] | None:
    """Return the request's entry for a statement that makes its change and writes it.

    ``None`` outside of a request. Say `recorded` once that has made its change.
    """
    return _entry(status, target) if _is_open() else None


def recorded(status: HTTPStatus, target: str | None = None) -> None:
    """Note that the request's entry was written with its change."""
    if _is_open():
        g.audit_target = _target(target)
        # Not yet committed, perhaps: if that fails, so does the request, and `finish` writes its
        # failure.
        g.audit_recorded = int(status)


def finish(engine: Engine, status: int) -> None:
    """Write the entry of a request whose change did not write it, or that was refused.

    If the database does not take it, the service's log has it.
    """
    if not _is_open() or g.get("audit_recorded") == status:
        return
    entry = _entry(status, None)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        _log.warning("a change was asked for while it could not be made", entry=entry)
        return
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(SQLAlchemyError),
            stop=stop_after_attempt(_ATTEMPTS if status < HTTPStatus.BAD_REQUEST else 1),
            wait=wait_fixed(0.1),
            reraise=True,
        ):
            with attempt, engine.begin() as connection:
                connection.execute(insert(audit).values(entry))
    except SQLAlchemyError as error:
        _log.error("an audit entry could not be stored", entry=entry, error=type(error).__name__)


def entries(engine: Engine, limit: int, cursor: str | None) -> tuple[list[Entry], str | None]:
    """Return a page of the log, newest first, and the cursor of the next page if there is one."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(audit.c.seq < _position(cursor))
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    page = [
        Entry(**{field.name: getattr(row, field.name) for field in fields(Entry)})
        for row in rows[:limit]
    ]
    return page, _cursor(rows[limit - 1].seq) if len(rows) > limit else None


def _is_open() -> bool:
    return has_request_context() and "audit_action" in g and caller_or_none() is not None


def _entry(status: int, target: str | None) -> dict[str, Any]:
    who = caller_or_none()
    if who is None:
        raise RuntimeError("nobody is known to have asked")  # excluded by _is_open
    return {
        "subject": who.subject,
        "role": who.role or "none",
        "action": g.audit_action,
        "target": _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", _target(target))[:_LONGEST_TARGET],
        "status": int(status),
        "address": _UNSTORABLE.sub("", request.remote_addr or "")[:_LONGEST_ADDRESS],
        "reason": _UNSTORABLE.sub(" ", g.get("audit_reason", ""))[:_LONGEST_REASON],
    }


def _target(target: str | None) -> str:
    """Return what the entry is about: what `about` said goes before the target."""
    named: str = g.audit_target
    return named if target is None or "audit_is_named" in g else target


def _cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(f"audit:{seq}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    found = re.fullmatch(r"audit:([0-9]{1,18})", text)
    if found is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "Bad cursor", "Use the next that the page before gave."
        )
    return int(found[1])
