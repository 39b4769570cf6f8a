"""The audit log: who changed what, newest first, in pages."""

from __future__ import annotations

from flask import Blueprint, Response, request

from holdfast_status_api.auth import audit
from holdfast_status_api.console.frame import Console, page

_ROWS = 50


def add(pages: Blueprint, console: Console) -> None:
    """Add the route."""

    @pages.get("/audit", endpoint="audit")
    def log() -> Response:
        cursor = request.args.get("cursor") or None
        entries, following = audit.entries(console.engine, _ROWS, cursor)
        return page("audit.html", entries=entries, following=following, cursor=cursor)
