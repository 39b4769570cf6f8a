"""Request bodies: the right type, whole, and never more of them in memory than allowed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, BinaryIO, cast

from flask import Flask, Response, request

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


def drain_unread(app: Flask) -> None:
    """Read what is left of a body before the answer, so that the client gets to see the answer.

    A server that closes a connection with unread bytes resets it.
    """

    @app.after_request
    def drain(response: Response) -> Response:
        stream = _stream()
        drained = 0
        while drained < _DRAINED_BYTES and (chunk := stream.read(_CHUNK_BYTES)):
            drained += len(chunk)
        return response


def _read(largest_bytes: int) -> bytes:
    declared = request.content_length
    if declared is not None and declared > largest_bytes:
        raise _too_large(largest_bytes)
    # A body in chunks has no declared length; one byte more tells.
    raw = _stream().read(largest_bytes + 1)
    if len(raw) > largest_bytes:
        raise _too_large(largest_bytes)
    if declared is not None and len(raw) < declared:
        # The start of a number is a number: half a body must not count as one.
        raise Problem(HTTPStatus.BAD_REQUEST, "Incomplete body", "The connection ended too soon.")
    return raw


def _stream() -> BinaryIO:
    # Not request.stream: for a body in chunks that ends in silence where the limit is.
    return cast("BinaryIO", request.environ["wsgi.input"])


def _too_large(largest_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "Content Too Large",
        f"The body may have at most {largest_bytes} bytes.",
    )


def _wrong_type(expected: str, got: str) -> Problem:
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported Media Type",
        f"The body must be {expected}; Content-Type is {got or 'missing'}.",
        headers={"Accept-Post": expected},
    )
