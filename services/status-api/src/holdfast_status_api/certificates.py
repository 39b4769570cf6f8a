"""Resume certificates that were handed in: what of the chaos suite the console can show.

The newest are kept and the others go. A certificate's page is a document of somebody else: it is
only ever given away with headers under which nothing in it runs, loads, or leads away by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Column, ColumnElement, Engine, delete, insert, select

from holdfast_contracts.certificate import FAIL, PASS, Schema, Verdict, Version
from holdfast_status_api import documents
from holdfast_status_api.auth import audit
from holdfast_status_api.documents import Fault
from holdfast_status_api.locks import be_alone
from holdfast_status_api.parameters import WrittenMoment
from holdfast_status_api.tables import certificates

#: A browser gives the page an origin of its own, and takes scripts, forms, windows and automatic
#: redirects from it; its own styles are all that it may have.
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
        " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Whoever asks for it gets the newest.
LATEST = "latest"
_ID_CHARACTERS = 32
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LARGEST_BIGINT = 2**63


class Invariant(BaseModel):
    """An invariant, and whether it held."""

    id: Annotated[str, Field(min_length=1, max_length=20, strict=True)]
    holds: Annotated[bool, Field(strict=True)]


class Certificate(BaseModel):
    """A resume certificate: what of it the list shows. The rest is kept as it was sent."""

    format: Schema = Field(alias="schema")
    version: Version
    verdict: Verdict
    seed: Annotated[int, Field(ge=-_LARGEST_BIGINT, lt=_LARGEST_BIGINT, strict=True)]
    target: Annotated[str, Field(min_length=1, max_length=200, strict=True)]
    started_at: WrittenMoment
    finished_at: WrittenMoment
    faults: Annotated[list[dict[str, Any]], Field(max_length=100_000)]
    runs: Annotated[list[dict[str, Any]], Field(max_length=1_000_000)]
    invariants: Annotated[list[Invariant], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _agrees(self) -> Certificate:
        """Refuse a verdict that the certificate itself does not bear out."""
        held = all(invariant.holds for invariant in self.invariants)
        if self.verdict != (PASS if held and self.faults else FAIL):
            raise ValueError("the verdict is not what the invariants and the faults come to")
        return self


class Deposit(BaseModel):
    """A certificate to keep, with its page."""

    model_config = ConfigDict(extra="forbid")

    certificate: Certificate
    page: Annotated[str, Field(min_length=1, strict=True)] = Field(
        description="The certificate as one HTML page that needs nothing else."
    )


@dataclass(frozen=True)
class Kept:
    """A certificate as the list shows it."""

    certificate_id: str
    verdict: str
    seed: int
    target: str
    started_at: datetime
    finished_at: datetime
    faults: int
    runs: int
    stored_at: datetime
    stored_by: str


def store(
    engine: Engine, deposit: Deposit, document: Mapping[str, Any], stored_by: str, keep: int
) -> tuple[Kept, bool]:
    """Keep a certificate, and only so many of the newest; tell whether it is a new one.

    Its ID is made of what it says: the same one handed in again is the same one.
    """
    said = deposit.certificate
    certificate_id = documents.fingerprint(document, deposit.page)[:_ID_CHARACTERS]
    values = {
        "certificate_id": certificate_id,
        "verdict": said.verdict,
        "seed": said.seed,
        "target": said.target,
        "started_at": _utc(said.started_at, "started_at"),
        "finished_at": _utc(said.finished_at, "finished_at"),
        "faults": len(said.faults),
        "runs": len(said.runs),
        "document": json.dumps(document, ensure_ascii=False),
        "page": deposit.page,
        "stored_by": stored_by,
    }
    newest = select(certificates.c.seq).order_by(certificates.c.seq.desc()).limit(keep)
    with engine.begin() as connection:
        # One at a time, or two that come at once would each leave the other's one too many.
        be_alone(connection, _LOCK)
        known = connection.execute(_KEPT.where(_is(certificate_id))).one_or_none()
        if known is None:
            connection.execute(insert(certificates).values(values))
            connection.execute(delete(certificates).where(certificates.c.seq.not_in(newest)))
        row = connection.execute(_KEPT.where(_is(certificate_id))).one()
        status = HTTPStatus.CREATED if known is None else HTTPStatus.OK
        audit.record(connection, status, certificate_id)
    return Kept(*row), known is None


def listed(engine: Engine) -> list[Kept]:
    """Return what is kept, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(_KEPT.order_by(certificates.c.seq.desc())).all()
    return [Kept(*row) for row in rows]


def latest(engine: Engine) -> Kept | None:
    """Return the newest, or ``None`` if there is none."""
    with engine.connect() as connection:
        row = connection.execute(_KEPT.order_by(certificates.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Kept(*row)


def document_of(engine: Engine, certificate_id: str) -> str | None:
    """Return the certificate as it was sent, as JSON, or ``None`` if it is not there."""
    return _part(engine, certificate_id, certificates.c.document)


def page_of(engine: Engine, certificate_id: str) -> str | None:
    """Return the certificate's page, or ``None`` if it is not there. It goes with its headers."""
    return _part(engine, certificate_id, certificates.c.page)


def remove(engine: Engine, certificate_id: str) -> bool:
    """Remove a certificate; tell whether there was one."""
    if not _ID.fullmatch(certificate_id):
        return False
    with engine.begin() as connection:
        gone = connection.execute(delete(certificates).where(_is(certificate_id)))
        if gone.rowcount:
            audit.record(connection, HTTPStatus.NO_CONTENT, certificate_id)
    return bool(gone.rowcount)


_LOCK = "status:certificates"
_KEPT = select(*(certificates.c[name] for name in Kept.__dataclass_fields__))


def _is(certificate_id: str) -> ColumnElement[bool]:
    return certificates.c.certificate_id == certificate_id


def _utc(moment: datetime, name: str) -> datetime:
    """Return the time in UTC, or raise a 422: near the year 1 or 9999 it has none."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        fault = Fault(f"/certificate/{name}", "is out of range")
        raise documents.unprocessable([fault]) from error


def _part(engine: Engine, certificate_id: str, column: Column[str]) -> str | None:
    query = select(column)
    if certificate_id == LATEST:
        query = query.order_by(certificates.c.seq.desc()).limit(1)
    elif _ID.fullmatch(certificate_id):
        query = query.where(_is(certificate_id))
    else:
        return None
    with engine.connect() as connection:
        found: str | None = connection.scalar(query)
    return found
