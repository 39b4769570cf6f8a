"""The same to many runs: first they are counted, then a second form does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from holdfast_servicekit.problems import Problem
from holdfast_status_api import bulk
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.console.acting import reason_of_form
from holdfast_status_api.console.frame import Console, may, page
from holdfast_status_api.console.list_page import Query, choices
from holdfast_status_api.doctor import Doctor
from holdfast_status_api.listing import Filters


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.get("/bulk", endpoint="bulk")
    def choose() -> Response:
        return _choose(Query.of(request.args))

    @pages.post("/bulk/<action>", endpoint="many")
    def many(action: str) -> Response:
        """Without a token: count. With the token of the count: do it, and say what came of it."""
        if action not in bulk.ACTIONS:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such action")
        query = Query.of(request.form)
        filters = _filters(query)
        token = request.form.get("token")
        doctor = Doctor(console.engine, console.orchestrator, console.settings)
        try:
            reason = reason_of_form()
            if token is None:
                found = bulk.rehearse(console.engine, action, filters, caller().subject, doctor)
                return page(
                    "bulk_confirm.html", action=action, query=query, filters=filters, found=found
                )
            outcome = bulk.perform(
                console.engine, action, filters, caller().subject, doctor, token, reason
            )
        except Problem as problem:
            return _choose(query, problem.status, problem.body)
        console.background.run_accepted()
        console.background.event_accepted()
        console.background.command_accepted()
        return page("bulk_done.html", action=action, query=query, outcome=outcome)


def _choose(
    query: Query, status: int = HTTPStatus.OK, problem: Mapping[str, Any] | None = None
) -> Response:
    actions = [action for action in bulk.ACTIONS if may(_route(action))]
    return page("bulk.html", status, query=query, actions=actions, problem=problem, **choices())


def _route(action: str) -> str:
    return "POST /bulk/purge" if action == "purge" else "POST /bulk/{action}"


def _filters(query: Query) -> Filters:
    """Return what the form means; the second form says since when, for an hour ago moves on."""
    since = request.form.get("since")
    if since is None:
        return query.filters()
    try:
        moment = datetime.fromisoformat(since).astimezone(UTC) if since else None
    except (ValueError, OverflowError):
        raise Problem(HTTPStatus.BAD_REQUEST, "There is no such filter") from None
    return replace(query.filters(), since=moment)
