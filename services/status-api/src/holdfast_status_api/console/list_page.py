"""The list of runs, newest first, with filters, in pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_servicekit.problems import Problem
from holdfast_status_api import certificates, listing
from holdfast_status_api.console.frame import Console, fingerprint, page
from holdfast_status_api.states import State

_ROWS = 50
_AGES = {
    "": ("any time", None),
    "1h": ("last hour", timedelta(hours=1)),
    "24h": ("last 24 hours", timedelta(hours=24)),
    "7d": ("last 7 days", timedelta(days=7)),
}
_LONGEST_TEXT = 64


@dataclass(frozen=True)
class Query:
    """What the address says of the list."""

    workflow: str
    states: tuple[str, ...]
    age: str
    text: str
    cursor: str
    live: bool

    @classmethod
    def of(cls, values: MultiDict[str, str]) -> Query:
        """Return the query of an address or a form, or raise a 400 for what it cannot be."""
        query = cls(
            workflow=values.get("workflow", ""),
            states=tuple(values.getlist("state")),
            age=values.get("age", ""),
            text=values.get("q", "").strip(),
            cursor=values.get("cursor", ""),
            live=values.get("live") != "off",
        )
        unknown = [state for state in query.states if state not in set(State)]
        names = query.workflow + query.text
        if (
            query.age not in _AGES
            or unknown
            or max(len(query.workflow), len(query.text)) > _LONGEST_TEXT
            or not names.isprintable()
        ):
            raise Problem(HTTPStatus.BAD_REQUEST, "There is no such filter", "Begin with the list.")
        return query

    def filters(self) -> listing.Filters:
        """Return the query as the list's filters."""
        age = _AGES[self.age][1]
        return listing.Filters(
            workflow=self.workflow or None,
            states=tuple(State(state) for state in self.states),
            since=None if age is None else datetime.now(UTC) - age,
            text=self.text or None,
        )

    def address(self, **changes: str) -> str:
        """Return the query part of an address of the list, with some things changed."""
        values = {
            "workflow": self.workflow,
            "age": self.age,
            "q": self.text,
            "cursor": self.cursor,
            "live": "" if self.live else "off",
            **changes,
        }
        pairs = [(name, value) for name, value in values.items() if value]
        return urlencode(pairs + [("state", state) for state in self.states])


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.get("/", strict_slashes=False)
    def home() -> AnyResponse:
        return redirect(url_for("console.runs"), HTTPStatus.SEE_OTHER)

    @pages.get("/runs")
    def runs() -> Response:
        query = Query.of(request.args)
        return page(
            "list.html",
            query=query,
            table=_table(console, query)[0],
            purged=request.args.get("done") == "purge",
            certificate=certificates.latest(console.engine),
            **choices(),
        )

    @pages.get("/runs-table")
    def runs_table() -> Response:
        """Answer with the list's rows if they are not those that the browser has."""
        table, seen = _table(console, Query.of(request.args))
        if request.args.get("seen") == seen:
            return Response(status=HTTPStatus.NO_CONTENT)
        return Response(table, content_type="text/html; charset=utf-8")


def choices() -> dict[str, Any]:
    """Return what the fields of the filters offer."""
    return {
        "workflows": list(PUBLIC_WORKFLOWS),
        "states": list(State),
        "ages": {name: label for name, (label, _) in _AGES.items()},
    }


def _table(console: Console, query: Query) -> tuple[str, str]:
    after = listing.Position.parse(query.cursor) if query.cursor else None
    found, following = listing.page(console.engine, query.filters(), after=after, limit=_ROWS)
    rows = render_template(
        "console/rows.html",
        runs=found,
        query=query,
        following=None if following is None else following.cursor(),
    )
    seen = fingerprint([rows])
    return render_template("console/table.html", rows=rows, seen=seen, query=query), seen
