"""What a service asks its own sidecar about itself; every question is bounded."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus

import httpx

from holdfast_servicekit.settings import ServiceSettings

SIDECAR_HOST = "127.0.0.1"
#: For clients of a sidecar: there is no TLS on loopback, and a client without a context of its own
#: reads the host's certificates, which takes 30 ms of CPU.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TIMEOUT_SECONDS = 1.0
#: The scheduler answers from a quorum.
_SCHEDULER_SECONDS = 5.0
#: Jobs that are never due keep a word each in the scheduler, where timers and steps are kept, too.
_MEMORY = "jobs/holdfast-memory-{}"
_PLACES = (0, 1)
_NEVER = "2999-01-01T00:00:00Z"
#: A sidecar that is starting says nothing of it.
_HAS_PLACEMENT = "placement: connected"
#: daprd answers 500 for a job that there is not, with the scheduler's words.
_NO_JOB = "code = NotFound desc = job not found"


class SchedulerAwayError(Exception):
    """The scheduler cannot be asked now."""


@dataclass(frozen=True)
class EngineState:
    """A sidecar's workflow engine at one moment."""

    #: Work-item streams that it counts: one that is open and not counted gets no work.
    workers: int
    #: False until placement's first tables are complete, and from its loss until the next are.
    has_placement: bool


@dataclass(frozen=True)
class Sidecar:
    """The daprd beside this process."""

    grpc_port: int
    http_port: int
    api_token: str = ""
    host: str = SIDECAR_HOST

    @classmethod
    def of(cls, settings: ServiceSettings) -> Sidecar:
        """Return the sidecar that the settings name."""
        return cls(settings.dapr_grpc_port, settings.dapr_http_port, settings.dapr_api_token)

    def answers(self) -> bool:
        """Tell whether something listens where the sidecar's workflow API is."""
        try:
            with socket.create_connection((self.host, self.grpc_port), timeout=_TIMEOUT_SECONDS):
                return True
        except OSError:
            return False

    def engine(self) -> EngineState | None:
        """Return what the sidecar says of its workflow engine, or ``None`` if it does not answer.

        Source: Dapr docs, "Metadata API".
        """
        try:
            answer = self._request("GET", "metadata")
            if answer.status_code != HTTPStatus.OK:
                return None
            told = answer.json()
            return EngineState(
                workers=int((told.get("workflows") or {}).get("connectedWorkers", 0)),
                has_placement=(told.get("actorRuntime") or {}).get("placement") == _HAS_PLACEMENT,
            )
        except (httpx.HTTPError, ValueError):
            return None

    def recall(self) -> list[str]:
        """Return the words that the scheduler keeps for this app: none, one or two.

        Raises `SchedulerAwayError`.
        """
        words = (self._word(place) for place in _PLACES)
        return [word for word in words if word is not None]

    def _word(self, place: int) -> str | None:
        answer = self._scheduler("GET", place)
        if answer.status_code == HTTPStatus.NOT_FOUND or _NO_JOB in answer.text:
            return None
        if not answer.is_success:
            raise SchedulerAwayError(f"status {answer.status_code}: {answer.text[:300]}")
        return str(answer.json()["data"]["value"])

    def remember(self, word: str, place: int) -> None:
        """Have the scheduler keep the word in one of two places, 0 or 1; see `recall`.

        A sidecar that waits for its scheduler does so when the scheduler is back, although that
        may have lost all else.
        """
        job = {"dueTime": _NEVER, "data": word, "overwrite": True}
        answer = self._scheduler("POST", place, job)
        if not answer.is_success:
            raise SchedulerAwayError(f"status {answer.status_code}: {answer.text[:300]}")

    def shut_down(self) -> None:
        """Ask the sidecar to end, so that whoever supervises it starts it anew."""
        try:
            self._request("POST", "shutdown")
        except httpx.HTTPError:
            # It may end before it answers; if it did not hear, it is asked again.
            return

    def _scheduler(
        self, method: str, place: int, body: dict[str, object] | None = None
    ) -> httpx.Response:
        try:
            path = _MEMORY.format(place)
            return self._request(method, path, body, seconds=_SCHEDULER_SECONDS)
        except httpx.HTTPError as error:
            raise SchedulerAwayError(f"{type(error).__name__}: {error}") from error

    def _request(
        self,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        *,
        seconds: float = _TIMEOUT_SECONDS,
    ) -> httpx.Response:
        return self._http.request(method, path, json=body, timeout=seconds)

    @cached_property
    def _http(self) -> httpx.Client:
        # Its connections are not kept: the next call may meet another sidecar.
        return httpx.Client(
            base_url=f"http://{self.host}:{self.http_port}/v1.0/",
            headers={"dapr-api-token": self.api_token} if self.api_token else {},
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=NO_TLS,
            trust_env=False,
        )
