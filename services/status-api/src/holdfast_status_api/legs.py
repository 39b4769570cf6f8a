"""Batches of flight legs: read from CSV, every bad row named, all rows stored or none."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

import airportsdata
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from holdfast_contracts.batch_processing import LARGEST_BATCH
from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth import audit
from holdfast_status_api.tables import batches

HEADER = ["origin", "destination"]
_SHOWN_CHARACTERS = 60
_COPY = "COPY work.batch_legs (batch_id, idx, origin, destination) FROM STDIN"


@dataclass(frozen=True)
class Leg:
    """A flight from one airport to another, as IATA codes. A sight-seeing flight has both equal."""

    origin: str
    destination: str


@dataclass(frozen=True)
class BadRow:
    """A line of the file that is no leg."""

    line: int
    detail: str


@lru_cache(maxsize=1)
def airports() -> frozenset[str]:
    """Return the IATA codes of all airports there are."""
    return frozenset(airportsdata.load("IATA"))


def read_legs(raw: bytes) -> tuple[list[Leg], list[BadRow]]:
    """Return the legs of a CSV file and every row that is none, by its line number.

    The first line must be the header. Lines are read one by one: a quote that is never closed
    spoils its own line and not the rest of the file. Raises `Problem` for too many lines.
    """
    try:
        # The file may start with a byte order mark, as spreadsheets write it.
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return [], [BadRow(line, "is not UTF-8")]
    lines = io.StringIO(text, newline=None).read().split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        return [], [BadRow(1, "the file is empty; the header origin,destination is expected")]
    if _cells(lines[0]) != HEADER:
        return [], [BadRow(1, f"the header must be origin,destination; it is {_shown(lines[0])}")]
    if len(lines) == 1:
        return [], [BadRow(2, "the file has no legs")]
    if len(lines) - 1 > LARGEST_BATCH:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "Content Too Large",
            f"A batch may have at most {LARGEST_BATCH} legs; this file has {len(lines) - 1} rows.",
        )
    legs: list[Leg] = []
    bad: list[BadRow] = []
    for number, row in enumerate(lines[1:], start=2):
        cells = _cells(row)
        if faults := _faults(cells):
            bad.append(BadRow(number, faults))
        elif cells is not None:
            legs.append(Leg(*cells))
    return legs, bad


def check(raw: bytes) -> list[Leg]:
    """Return the legs, or raise a `Problem` that lists every bad row."""
    legs, bad = read_legs(raw)
    if bad:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Bad rows",
            f"{len(bad)} {'row is' if len(bad) == 1 else 'rows are'} not right;"
            " nothing was stored.",
            errors=[{"line": row.line, "detail": row.detail} for row in bad],
        )
    return legs


def store(engine: Engine, batch_id: str, legs: Sequence[Leg]) -> None:
    """Commit a batch with all its legs; an ID that is taken is a 409 and nothing changes."""
    with engine.begin() as connection:
        inserted = connection.scalar(
            insert_or_skip(batches)
            .values(batch_id=batch_id, legs=len(legs))
            .on_conflict_do_nothing()
            .returning(batches.c.batch_id)
        )
        if inserted is None:
            raise Problem(
                HTTPStatus.CONFLICT,
                "The batch ID is taken",
                f"{batch_id} was loaded before; its legs are untouched.",
            )
        driver = connection.connection.driver_connection
        if driver is None:
            raise RuntimeError("the connection was lost before the copy")  # the pool makes another
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            for index, leg in enumerate(legs):
                copy.write_row((batch_id, index, leg.origin, leg.destination))
        audit.record(connection, HTTPStatus.CREATED, batch_id)


def _cells(line: str) -> list[str] | None:
    try:
        rows = list(csv.reader([line], strict=True))
    except csv.Error:
        return None
    return rows[0] if rows else []


def _faults(cells: list[str] | None) -> str | None:
    if cells is None:
        return "is not CSV: a quote is not closed or stands in the middle"
    if not cells:
        return "is empty"
    if len(cells) != len(HEADER):
        return f"has {len(cells)} columns instead of {len(HEADER)}"
    faults = [_fault(column, code) for column, code in zip(HEADER, cells, strict=True)]
    return "; ".join(fault for fault in faults if fault) or None


def _fault(column: str, code: str) -> str | None:
    if not code:
        return f"{column} is empty"
    if code not in airports():
        return f"{column}: unknown IATA code {_shown(code)}"
    return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
