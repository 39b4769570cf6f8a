"""Hand a certificate in where it was earned, so that the console there shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

_PATIENCE_SECONDS = 30.0
#: A page of some megabytes is on its way for a moment.
_SEND_SECONDS = 60.0
_SHOWN_CHARACTERS = 300


class NotPublishedError(Exception):
    """The API did not take a certificate; the text says why."""


class _AwayError(NotPublishedError):
    """It may take it in a moment."""


def publish(api: httpx.Client, files: Mapping[str, Path]) -> str:
    """Hand in a certificate that was written; return the address of its page in the console.

    The client must be an admin's. Raises ``NotPublishedError``; the files stay what they are.
    """
    body = {
        "certificate": json.loads(files["json"].read_text("utf-8")),
        "page": files["html"].read_text("utf-8"),
    }
    patient = Retrying(
        retry=retry_if_exception_type(_AwayError),
        stop=stop_after_delay(_PATIENCE_SECONDS),
        wait=wait_fixed(0.5),
        reraise=True,
    )
    answer = patient(_send, api, json.dumps(body).encode())
    if not answer.is_success:
        raise NotPublishedError(f"the status API refused it: {_said(answer)}")
    place = f"/console/certificates/{answer.json()['certificate_id']}"
    return str(api.base_url.join(place))


def _send(api: httpx.Client, content: bytes) -> httpx.Response:
    kind = {"Content-Type": "application/json"}
    try:
        answer = api.post("/certificates", content=content, headers=kind, timeout=_SEND_SECONDS)
    except httpx.TransportError as error:
        raise _AwayError(f"the status API does not answer: {error!r}") from error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _AwayError(f"the status API failed: {_said(answer)}")
    return answer


def _said(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:_SHOWN_CHARACTERS]}"
