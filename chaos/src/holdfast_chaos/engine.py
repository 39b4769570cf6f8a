"""Read the engine's histories through the orchestrator's management API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from holdfast_chaos.histories import RunHistory, parse_run

_PAGE = 500
_READERS = 4


class NotReadableError(Exception):
    """The engine could not be asked just now."""


class EngineReader:
    """Ask the orchestrator, directly or by a sidecar's service invocation, what the engine knows.

    The client brings base URL and headers: the app's own port with its token, or a sidecar's
    ``/v1.0/invoke/<app-id>/method``.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def instances(self) -> tuple[str, ...]:
        """Return every instance that the engine lists, as often as it lists it."""
        return tuple(self._pages())

    def history(self, instance: str) -> RunHistory | None:
        """Return a run's history, or none if the engine has no such run."""
        state = self._get(f"/instances/{instance}")
        if state is None:
            return None
        events = self._get(f"/instances/{instance}/history")
        return None if events is None else parse_run(state, events["events"])

    def histories(self, instances: tuple[str, ...]) -> Mapping[str, RunHistory]:
        """Return the histories of many runs, by instance."""
        with ThreadPoolExecutor(_READERS) as readers:
            found = readers.map(self.history, dict.fromkeys(instances))
            return {history.instance: history for history in found if history is not None}

    def _pages(self) -> Iterator[str]:
        token: str | None = None
        while True:
            page = self._get(
                "/instances",
                {"page_size": _PAGE, **({"continuation_token": token} if token else {})},
            )
            if page is None:
                return
            yield from page["instance_ids"]
            token = page["continuation_token"]
            if not token:
                return

    @retry(
        retry=retry_if_exception_type((NotReadableError, httpx.TransportError)),
        stop=stop_after_delay(60),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        answer = self._client.get(path, params=dict(query or {}))
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:
            raise NotReadableError(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()
