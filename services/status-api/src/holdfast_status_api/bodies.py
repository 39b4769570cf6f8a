"""Request bodies: the right type, and never more of them in memory than allowed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents

#: A client that sends too much reads the answer only when it has sent all; up to here it may.
_DRAINED_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


def read_json(largest_bytes: int) -> Any:
    """Return the JSON value of the request's body, or raise the `Problem` with it."""
    media_type = request.mimetype
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise _wrong_type("application/json", media_type)
    return documents.parse(_read(largest_bytes))


def read_csv(largest_bytes: int) -> bytes:
    """Return the request's body if it is declared as CSV, or raise the `Problem` with it."""
    if request.mimetype != "text/csv":
        raise _wrong_type("text/csv", request.mimetype)
    return _read(largest_bytes)


def _read(largest_bytes: int) -> bytes:
    request.max_content_length = largest_bytes
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        _drain()
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "Content Too Large",
            f"The body may have at most {largest_bytes} bytes.",
        ) from error


def _drain() -> None:
    stream = request.environ["wsgi.input"]
    drained = 0
    while drained < _DRAINED_BYTES and (chunk := stream.read(_CHUNK_BYTES)):
        drained += len(chunk)


def _wrong_type(expected: str, got: str) -> Problem:
    _drain()
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported Media Type",
        f"The body must be {expected}; Content-Type is {got or 'missing'}.",
        headers={"Accept-Post": expected},
    )
