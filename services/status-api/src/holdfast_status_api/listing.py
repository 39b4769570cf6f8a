"""The list of runs: filtered, newest first, in pages that hold still while runs are added."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import ColumnElement, Connection, Engine, Select, func, select, tuple_
from sqlalchemy.engine import Row

from holdfast_contracts.core import InstanceId
from holdfast_servicekit.problems import Problem
from holdfast_status_api.states import State
from holdfast_status_api.tables import requests, runs


@dataclass(frozen=True)
class Filters:
    """Which runs are meant. What is not given does not matter."""

    workflow: str | None = None
    states: tuple[State, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the filters as SQL; runs that were purged are never meant."""
        wanted: list[ColumnElement[bool]] = [runs.c.purged_at.is_(None)]
        if self.workflow is not None:
            wanted.append(runs.c.workflow == self.workflow)
        if self.states:
            wanted.append(runs.c.state.in_(self.states))
        if self.since is not None:
            wanted.append(runs.c.accepted_at >= self.since)
        if self.until is not None:
            wanted.append(runs.c.accepted_at < self.until)
        if self.text:
            # autoescape: % and _ are letters of what is looked for.
            wanted.append(runs.c.instance_id.contains(self.text, autoescape=True))
        return wanted

    def canonical(self) -> str:
        """Return the filters as a text that two equal ones share."""
        return json.dumps(
            {
                "workflow": self.workflow,
                "states": sorted(self.states),
                "since": self.since.isoformat() if self.since else None,
                "until": self.until.isoformat() if self.until else None,
                "text": self.text or None,
            },
            sort_keys=True,
        )


@dataclass(frozen=True)
class Position:
    """A place in the list, right after a run."""

    accepted_at: datetime
    instance_id: str

    def cursor(self) -> str:
        """Return the place as an opaque text for the client."""
        place = json.dumps([self.accepted_at.isoformat(), self.instance_id])
        return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str) -> Position:
        """Return the place that a cursor of ours stands for, or raise a 400."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            place = _PLACE.validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
        except ValueError as error:  # of pydantic, base64 and ASCII alike
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "Bad cursor",
                'Give the "next" of a page as it is, or leave the cursor out.',
                errors=[{"parameter": "cursor", "detail": "is not one that this API gave out"}],
            ) from error
        return cls(*place)


_PLACE: TypeAdapter[tuple[datetime, str]] = TypeAdapter(tuple[AwareDatetime, InstanceId])


def page(
    engine: Engine, filters: Filters, *, after: Position | None, limit: int
) -> tuple[list[Row[Any]], Position | None]:
    """Return the next runs of the list, newest first, and the place after them if there are more.

    Runs that are accepted in the meantime come before the first page: no run is shown twice, and
    none is left out that was there at the start.
    """
    query = _listed().where(*filters.conditions())
    if after is not None:
        query = query.where(
            tuple_(runs.c.accepted_at, runs.c.instance_id)
            < tuple_(after.accepted_at, after.instance_id)
        )
    query = query.order_by(runs.c.accepted_at.desc(), runs.c.instance_id.desc()).limit(limit + 1)
    with engine.connect() as connection:
        rows = list(connection.execute(query))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], Position(last.accepted_at, last.instance_id)


def count(connection: Connection, filters: Filters, *extra: ColumnElement[bool]) -> int:
    """Return how many runs are meant."""
    query = select(func.count()).select_from(runs).where(*filters.conditions(), *extra)
    return int(connection.scalar(query) or 0)


def _listed() -> Select[Any]:
    return select(
        runs.c.instance_id,
        runs.c.workflow,
        runs.c.state,
        runs.c.accepted_at,
        runs.c.started_at,
        runs.c.updated_at,
        runs.c.finished_at,
        requests.c.origin,
        requests.c.start_at,
        requests.c.deadline,
        requests.c.rerun_of,
        requests.c.requested_by,
    ).join(requests, requests.c.instance_id == runs.c.instance_id)
