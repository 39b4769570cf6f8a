"""A client of the public API that writes down everything it is told."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from holdfast_chaos.observations import (
    NO_ANSWER,
    BatchSeen,
    EventSeen,
    Notebook,
    Poll,
    StartSeen,
)

_PATIENCE_SECONDS = 30.0


class RefusedError(Exception):
    """The API did not accept what the workload has to have accepted."""


def _unanswered(seen: StartSeen | EventSeen) -> bool:
    return seen.http == NO_ANSWER or seen.http >= HTTPStatus.INTERNAL_SERVER_ERROR


class Client:
    """Start runs, send events and read statuses; every answer goes into the notebook.

    A request without an answer is sent again with the same ``Idempotency-Key``, as any client
    should do it.
    """

    def __init__(self, http: httpx.Client, notebook: Notebook) -> None:
        self._http = http
        self._notebook = notebook

    def start(self, workflow: str, payload: Any, instance: str) -> StartSeen:
        """Have a run accepted; raise ``RefusedError`` if it is not."""
        seen = self._start(workflow, payload, instance)
        if not seen.accepted:
            raise RefusedError(f"start of {instance} ({workflow}): {seen.http}")
        return seen

    def send(self, instance: str, name: str, data: Mapping[str, Any]) -> EventSeen:
        """Send an event and return what the API said, whatever it is."""
        return self._send(instance, name, data, uuid4().hex)

    def load(self, batch_id: str, legs: Sequence[tuple[str, str]]) -> BatchSeen:
        """Load a batch of legs as CSV; raise ``RefusedError`` if it is not taken."""
        text = io.StringIO()
        csv.writer(text).writerows([("origin", "destination"), *legs])
        answer = self._http.post(
            "/batches",
            params={"batch_id": batch_id},
            content=text.getvalue(),
            headers={"Content-Type": "text/csv"},
        )
        if answer.status_code != HTTPStatus.CREATED:
            raise RefusedError(f"batch {batch_id}: {answer.status_code} {answer.text[:2000]}")
        seen = BatchSeen(answer.json()["batch_id"], tuple(legs))
        self._notebook.note(seen)
        return seen

    def poll(self, instance: str) -> Poll:
        """Read a run's status."""
        sent = datetime.now(UTC)
        code, body = self._ask("GET", f"/status/{instance}")
        known = code == HTTPStatus.OK
        poll = Poll(
            instance=instance,
            sent_at=sent,
            received_at=datetime.now(UTC),
            http=code,
            state=body["state"] if known else None,
            output=body["output"] if known else None,
        )
        self._notebook.note(poll)
        return poll

    def event_states(self, instance: str) -> Mapping[str, str]:
        """Return how far each accepted event of a run came, by event id."""
        code, body = self._ask("GET", f"/runs/{instance}/events")
        if code != HTTPStatus.OK:
            return {}
        return {event["event_id"]: event["state"] for event in body["events"]}

    @retry(
        retry=retry_if_result(_unanswered),
        stop=stop_after_delay(_PATIENCE_SECONDS),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    def _start(self, workflow: str, payload: Any, instance: str) -> StartSeen:
        sent = datetime.now(UTC)
        code, _ = self._ask(
            "POST", f"/workflows/{workflow}", payload, instance, {"instance_id": instance}
        )
        seen = StartSeen(instance, workflow, sent, datetime.now(UTC), code)
        self._notebook.note(seen)
        return seen

    @retry(
        retry=retry_if_result(_unanswered),
        stop=stop_after_delay(_PATIENCE_SECONDS),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    def _send(self, instance: str, name: str, data: Mapping[str, Any], key: str) -> EventSeen:
        sent = datetime.now(UTC)
        code, body = self._ask("POST", f"/runs/{instance}/events/{name}", dict(data), key)
        event = body["event_id"] if code == HTTPStatus.ACCEPTED else None
        seen = EventSeen(instance, name, dict(data), sent, datetime.now(UTC), code, event)
        self._notebook.note(seen)
        return seen

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return status code and body; code 0 where no answer came."""
        more: dict[str, Any] = {} if method == "GET" else {"json": body}
        try:
            answer = self._http.request(
                method,
                path,
                params=dict(query or {}),
                headers={} if key is None else {"Idempotency-Key": key},
                **more,
            )
        except httpx.TransportError:
            return NO_ANSWER, None
        return answer.status_code, answer.json() if answer.content else None
