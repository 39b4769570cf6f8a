"""The orchestrator as the status API sees it: by Dapr service invocation, every call bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, ValidationError

from holdfast_servicekit import tracing
from holdfast_servicekit.problems import MEDIA_TYPE as PROBLEM
from holdfast_servicekit.sidecar import NO_TLS
from holdfast_status_api.settings import Settings

_CONNECT_SECONDS = 1.0
#: A caller waits for a read; it has the index to fall back on.
_READ_SECONDS = 3.0
#: A start or an event waits in the outbox; nobody is kept waiting.
_WRITE_SECONDS = 10.0
#: How long nobody asks after a read that failed.
_REST_SECONDS = 0.5
#: The engine's word for an instance that was created and has not begun.
PENDING = "PENDING"
#: What the engine says to whoever would change a run that it has set aside.
_STALLED = "actor is stalled"
#: What the orchestrator says of a run whose state the engine cannot load.
_UNREADABLE = "The instance cannot be read"
_TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the header's name, not a token


class UnavailableError(Exception):
    """The orchestrator, its sidecar, ours, or the engine cannot be asked now."""


class UnreadableError(UnavailableError):
    """The engine has the run and cannot load its state; it is there for all others."""


class RefusedError(Exception):
    """The orchestrator answered, and would not do it."""


class FinishedError(Exception):
    """The run is over; it takes no more events."""


class MissingError(Exception):
    """The engine has no run of that ID."""


class ImpossibleError(Exception):
    """What was asked for cannot be done, now or later."""


class EngineRun(BaseModel):
    """What the engine says of a run."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    instance_id: str
    workflow: str
    status: str
    created_at: datetime
    updated_at: datetime
    input: Any = None
    output: Any = None
    custom_status: Any = None
    failure: dict[str, Any] | None = None


class Rearmed(BaseModel):
    """Which instances dispatch again what they wait for, and what is said of unreadable ones."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rearmed: list[str]
    unreadable: dict[str, str]


_READS = Counter(
    "holdfast_engine_reads_total", "Reads of one run's state that the engine was asked for."
)


class Orchestrator:
    """The orchestrator's management API. Thread-safe; make it after the fork."""

    def __init__(self, settings: Settings) -> None:
        sidecar = f"http://127.0.0.1:{settings.dapr_http_port}"
        self.app_id = app = settings.orchestrator_app_id
        self._health = f"{sidecar}/v1.0/healthz/outbound"
        self._http = httpx.Client(
            base_url=f"{sidecar}/v1.0/invoke/{app}/method/",
            headers={_TOKEN_HEADER: settings.dapr_api_token} if settings.dapr_api_token else {},
            timeout=httpx.Timeout(_WRITE_SECONDS, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
            verify=NO_TLS,
            # The one whom the run belongs to sees in one trace what became of the request.
            event_hooks={"request": [lambda request: tracing.hand_on(request.headers)]},
            trust_env=False,  # the sidecar is on this host, whatever proxies there are
        )
        self._outage = _Outage()

    def run(self, instance_id: str) -> EngineRun | None:
        """Return what the engine says of the run, or ``None`` if it has none of that ID.

        Raises `UnavailableError`; while the orchestrator is away at once, for all but one at a
        time, so that the threads that answer callers do not all wait for it.
        """
        if not self._outage.may_ask():
            raise UnavailableError("the orchestrator did not answer a moment ago")
        with self._outage.noted():
            return self._run(instance_id, _READ_SECONDS)

    def started(self, instance_id: str) -> bool:
        """Tell whether the engine has an instance of that ID, begun or finished or begun now.

        For one whose start was cut off: it may be there and have lost what begins it.
        """
        found = self._run(instance_id, _WRITE_SECONDS)
        if found is not None and found.status == PENDING:
            self.wake(instance_id)
        return found is not None

    def wake(self, instance_id: str) -> list[str]:
        """Begin what was created and never began, the run or its children; return their IDs."""
        answer = self._ask("POST", f"instances/{instance_id}/wake", _WRITE_SECONDS)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return []
        if not answer.is_success:
            raise RefusedError(_why(answer))
        woken: list[str] = answer.json()["woken"]
        return woken

    def rearm(self, instance_id: str) -> Rearmed:
        """Have a run, and the children that it waits for, dispatch again what they wait for.

        Raises `MissingError`, `FinishedError` or `UnreadableError`.
        """
        answer = self._ask("POST", f"instances/{instance_id}/rearm", _WRITE_SECONDS)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise MissingError
        if answer.status_code == HTTPStatus.CONFLICT:
            raise FinishedError
        if not answer.is_success:
            raise RefusedError(_why(answer))
        return Rearmed.model_validate_json(answer.content)

    def recall(self) -> list[str]:
        """Return the words that the scheduler keeps for us: none, one or two."""
        words: list[str] = self._ask("GET", "scheduler/word", _WRITE_SECONDS).json()["words"]
        return words

    def remember(self, word: str, place: int) -> None:
        """Have the scheduler keep a word in place 0 or 1, and leave the other."""
        body = {"word": word, "place": place}
        answer = self._ask("PUT", "scheduler/word", _WRITE_SECONDS, body)
        if not answer.is_success:
            raise RefusedError(_why(answer))

    def start(
        self, workflow: str, instance_id: str, document: Any, start_at: datetime | None
    ) -> None:
        """Start a run; that it has been started already is as good."""
        body = {
            "workflow": workflow,
            "instance_id": instance_id,
            "input": document,
            "start_at": None if start_at is None else start_at.isoformat(),
        }
        answer = self._ask("POST", "instances", _WRITE_SECONDS, body)
        if answer.status_code not in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
            raise RefusedError(_why(answer))

    def raise_event(self, instance_id: str, name: str, event_id: str, data: Any) -> None:
        """Hand an event to a run; raises `FinishedError` if the run is over."""
        path = f"instances/{instance_id}/events/{name}"
        answer = self._ask("POST", path, _WRITE_SECONDS, {"event_id": event_id, "data": data})
        if answer.status_code == HTTPStatus.CONFLICT:
            raise FinishedError
        if answer.status_code != HTTPStatus.ACCEPTED:
            raise RefusedError(_why(answer))

    def terminate(self, instance_id: str) -> None:
        """End a run and its children where they stand; that it has ended or is gone is as good."""
        answer = self._ask("POST", f"instances/{instance_id}/terminate", _WRITE_SECONDS)
        if answer.status_code not in {
            HTTPStatus.ACCEPTED,
            HTTPStatus.CONFLICT,
            HTTPStatus.NOT_FOUND,
        }:
            raise RefusedError(_why(answer))

    def purge(self, instance_id: str) -> None:
        """Let the engine forget a finished run; that it has none is as good."""
        answer = self._ask("DELETE", f"instances/{instance_id}", _WRITE_SECONDS)
        if answer.status_code not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}:
            raise RefusedError(_why(answer))

    def rerun(self, source_id: str, event_id: int, instance_id: str) -> None:
        """Start a run that shares another's history up to a step; that it is there is as good.

        Raises `ImpossibleError` if the engine has no such history any more, or no such step.
        """
        body = {"event_id": event_id, "new_instance_id": instance_id}
        answer = self._ask("POST", f"instances/{source_id}/rerun", _WRITE_SECONDS, body)
        if answer.status_code == HTTPStatus.CONFLICT and self.started(instance_id):
            return
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise ImpossibleError(f"the engine has no history of {source_id} any more")
        if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise ImpossibleError(f"event {event_id} of {source_id} is no step to run again from")
        if answer.status_code != HTTPStatus.CREATED:
            raise RefusedError(_why(answer))

    def history(self, instance_id: str) -> list[dict[str, Any]]:
        """Return the run's history; raises `MissingError` if the engine has none."""
        answer = self._read(f"instances/{instance_id}/history")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise MissingError
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    def recording(self, instance_id: str) -> dict[str, Any]:
        """Return the history as the engine keeps it; raises `MissingError` if there is none."""
        answer = self._read(f"instances/{instance_id}/recording")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise MissingError
        recording: dict[str, Any] = answer.json()
        return recording

    def instance_ids(self, page_size: int, token: str | None) -> tuple[list[str], str | None]:
        """Return a page of all IDs that the engine has, children's too, and the next token."""
        query = {"page_size": str(page_size), **({"continuation_token": token} if token else {})}
        answer = self._read(f"instances?{urlencode(query)}")
        if not answer.is_success:
            raise RefusedError(_why(answer))
        page = answer.json()
        return page["instance_ids"], page["continuation_token"]

    def worker_connected(self) -> bool | None:
        """Tell whether the orchestrator has its workflow runtime; ``None`` if nobody can tell."""
        try:
            answer = self._http.get("readyz", timeout=_READ_SECONDS)
        except httpx.HTTPError:
            return None
        return answer.is_success

    def sidecar_missing(self) -> str | None:
        """Say in one line why our own sidecar cannot call others, or return ``None``."""
        try:
            answer = self._http.get(self._health, timeout=_CONNECT_SECONDS)
        except httpx.HTTPError as error:
            return f"the Dapr sidecar does not answer: {type(error).__name__}"
        if answer.is_success:
            return None
        return f"the Dapr sidecar is not ready: status {answer.status_code}"

    def close(self) -> None:
        """Close the connections to the sidecar."""
        self._http.close()

    def _read(self, path: str) -> httpx.Response:
        if not self._outage.may_ask():
            raise UnavailableError("the orchestrator did not answer a moment ago")
        with self._outage.noted():
            return self._ask("GET", path, _WRITE_SECONDS)

    def _run(self, instance_id: str, seconds: float) -> EngineRun | None:
        _READS.inc()
        answer = self._ask("GET", f"instances/{instance_id}", seconds)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            return EngineRun.model_validate_json(answer.content)
        except ValidationError as error:
            raise UnavailableError(_why(answer)) from error

    def _ask(self, method: str, path: str, seconds: float, body: Any = None) -> httpx.Response:
        timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        try:
            answer = self._http.request(method, path, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            message = f"the Dapr sidecar did not answer: {type(error).__name__} {error}"
            raise UnavailableError(message) from error
        ours = answer.is_success or answer.headers.get("content-type", "").startswith(PROBLEM)
        if ours and _STALLED in answer.text:
            # Of this run alone; the engine is there for all others.
            raise RefusedError(_why(answer))
        if ours and _UNREADABLE in answer.text:
            raise UnreadableError(answer.json()["detail"])
        if not ours or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # A sidecar's own 404 or 500 says nothing about the run.
            raise UnavailableError(_why(answer))
        return answer


class _Outage:
    """Lets one caller at a time find out whether a service that was away is back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lasts = False
        self._asking = False
        self._next_try = 0.0

    def may_ask(self) -> bool:
        with self._lock:
            if not self._lasts:
                return True
            if self._asking or time.monotonic() < self._next_try:
                return False
            self._asking = True
            return True

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Ask within this, and the next to ask know whether there was an answer."""
        answered = False
        try:
            yield
            answered = True
        except UnreadableError:
            answered = True
            raise
        finally:
            self._note(answered=answered)

    def _note(self, *, answered: bool) -> None:
        with self._lock:
            self._lasts = not answered
            self._asking = False
            self._next_try = time.monotonic() + _REST_SECONDS


def _why(answer: httpx.Response) -> str:
    return f"status {answer.status_code}: {answer.text[:300]}"
