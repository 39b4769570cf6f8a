"""``GET /whoami`` and ``GET /audit``: who calls, and who did what."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from sqlalchemy import Engine

from holdfast_status_api.answers import AuditAnswer, AuditEntry, CallerAnswer
from holdfast_status_api.auth import audit
from holdfast_status_api.auth.callers import Role, caller
from holdfast_status_api.document import answers
from holdfast_status_api.parameters import AuditQuery


def api(engine: Engine) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("identity", __name__)

    @routes.get(
        "/whoami",
        summary="Tell who calls",
        responses=answers({HTTPStatus.OK: CallerAnswer}),
    )
    def whoami() -> Response:
        """Answer with the subject of the token, and the roles that it has here."""
        who = caller()
        return CallerAnswer(
            subject=who.subject,
            role=who.role,
            roles=[role for role in Role if role in who.roles],
        ).response(headers={"Cache-Control": "no-store"})

    @routes.get(
        "/audit",
        summary="List who changed what, newest first",
        responses=answers({HTTPStatus.OK: AuditAnswer}, HTTPStatus.BAD_REQUEST),
    )
    def log(query: AuditQuery) -> Response:
        """Page through every mutation, the refused ones too; entries are only ever added."""
        entries, following = audit.entries(engine, query.limit, query.cursor)
        return AuditAnswer(
            entries=[AuditEntry(**vars(entry)) for entry in entries],
            next=following,
        ).response(headers={"Cache-Control": "no-store"})

    return routes
