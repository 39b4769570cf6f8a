"""The headers that tell a program what to do next, declared where they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

_LOCATION = "Location"
_RETRY_AFTER = "Retry-After"
_ETAG = "ETag"
_APPLIED = "Preference-Applied"
_CHALLENGE = "WWW-Authenticate"
_LIMIT = "RateLimit"
_POLICY = "RateLimit-Policy"

_HEADERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    _LOCATION: (
        "Where to look at what became of it.",
        {"type": "string", "format": "uri-reference"},
    ),
    _RETRY_AFTER: ("In how many seconds to ask again.", {"type": "integer", "minimum": 1}),
    _ETAG: ("Names this answer; If-None-Match takes it.", {"type": "string"}),
    _APPLIED: ("That the answer was held, as Prefer asked for it.", {"type": "string"}),
    _CHALLENGE: ("What the token lacks, in the words of RFC 6750.", {"type": "string"}),
    _LIMIT: ("What is left of the caller's budget, and when there is more.", {"type": "string"}),
    _POLICY: ("The caller's budget of reads or writes in a window.", {"type": "string"}),
}
#: Of every operation: it is asked again later, or with another token.
_OF_EVERY_OPERATION: Mapping[HTTPStatus, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: (_CHALLENGE,),
    HTTPStatus.FORBIDDEN: (_CHALLENGE,),
    HTTPStatus.TOO_MANY_REQUESTS: (_RETRY_AFTER,),
    HTTPStatus.SERVICE_UNAVAILABLE: (_RETRY_AFTER,),
}
#: Of every answer to a caller who is known, so neither of these.
_BUDGET = (_LIMIT, _POLICY)
_WITHOUT_BUDGET = (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_URI_TOO_LONG)
_ACTIONS = ("suspend", "resume", "cancel", "terminate", "repair")
#: By method, path and status.
_OF_SOME: Mapping[tuple[str, str, HTTPStatus], tuple[str, ...]] = {
    ("post", "/workflows/{name}", HTTPStatus.ACCEPTED): (_LOCATION, _RETRY_AFTER),
    ("post", "/runs/{instance_id}/rerun", HTTPStatus.ACCEPTED): (_LOCATION, _RETRY_AFTER),
    **{
        ("post", f"/runs/{{instance_id}}/{action}", HTTPStatus.ACCEPTED): (_LOCATION,)
        for action in (*_ACTIONS, "events/{event}")
    },
    ("post", "/certificates", HTTPStatus.CREATED): (_LOCATION,),
    ("post", "/certificates", HTTPStatus.OK): (_LOCATION,),
    ("get", "/status/{instance_id}", HTTPStatus.OK): (_ETAG, _RETRY_AFTER, _APPLIED),
    ("get", "/status/{instance_id}", HTTPStatus.NOT_MODIFIED): (_ETAG, _RETRY_AFTER, _APPLIED),
}


def declare(document: dict[str, Any]) -> None:
    """Say in the document which answers have which of them."""
    document["components"]["headers"] = {
        name: {"description": description, "schema": schema}
        for name, (description, schema) in _HEADERS.items()
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            for status in map(HTTPStatus, map(int, operation["responses"])):
                _add(operation, status, _OF_EVERY_OPERATION.get(status, ()))
                if operation.get("security") and status not in _WITHOUT_BUDGET:
                    _add(operation, status, _BUDGET)
    for (method, path, status), names in _OF_SOME.items():
        _add(document["paths"][path][method], status, names)


def _add(operation: dict[str, Any], status: HTTPStatus, names: tuple[str, ...]) -> None:
    for name in names:
        headers = operation["responses"][str(int(status))].setdefault("headers", {})
        headers[name] = {"$ref": f"#/components/headers/{name}"}
