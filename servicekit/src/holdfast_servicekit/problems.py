"""Errors as RFC 9457 problem details, and never as a stack trace."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger()


class Problem(Exception):  # noqa: N818 - the RFC's word
    """An answer that tells the caller what is wrong and what to do about it."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        *,
        type: str = "about:blank",  # noqa: A002 - the RFC's member name
        headers: dict[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"type": type, "title": title, "status": status}
        if detail is not None:
            self.body["detail"] = detail
        self.body.update(extensions)

    def response(self) -> Response:
        """Return the problem as an HTTP response."""
        return Response(
            json.dumps(self.body),
            status=self.status,
            headers=self.headers,
            content_type=MEDIA_TYPE,
        )


def register(app: Flask) -> None:
    """Turn whatever a view raises into a problem; what nobody expected is logged and a 500."""

    def from_problem(problem: Problem) -> Response:
        return problem.response()

    def from_http(error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        headers = {
            name: value
            for name, value in error.get_headers()
            if name.lower() not in {"content-type", "content-length"}
        }
        return Problem(status, error.name, error.description, headers=headers).response()

    def from_unexpected(error: Exception) -> Response:
        _log.error("unexpected error", exc_info=error)
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Internal Server Error",
            "The error is in the service's log.",
        ).response()

    app.register_error_handler(Problem, from_problem)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_unexpected)
