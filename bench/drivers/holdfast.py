"""Drive Holdfast as any client does: through the status API, over HTTP."""

from __future__ import annotations

import json
import os
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from bench.drivers.loop import in_a_thread, serve

_ENDED = {"COMPLETED", "FAILED", "TERMINATED"}
#: A connection that was not used for so long may be closed by the server at any moment.
_IDLE_SECONDS = 10
#: How often and for how long it is tried again while the database is away.
_AGAIN_SECONDS = 0.2
_AWAY_SECONDS = 60


class AwayError(Exception):
    """The service cannot work now, has done nothing, and says so."""


class Holdfast:
    """One keep-alive connection for each thread that waits for a run."""

    def __init__(self, url: str, token: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._local = threading.local()

    async def chain(self, value: int) -> list[int]:
        """Run a chain to its end."""
        result: list[int] = await in_a_thread(self._run, "task_chain", value)
        return result

    async def fan_out(self, items: int) -> int:
        """Measure so many legs of the sample, or of a batch where the sample is too small."""
        wanted: Any = items if items <= int(os.environ["BENCH_SAMPLE_LEGS"]) else None
        if wanted is None:
            wanted = {"batch_id": await in_a_thread(self._load, items)}
        result = await in_a_thread(self._run, "batch_processing", wanted)
        return int(result["count"])

    async def park(self) -> None:
        """Start a run that waits for an approval."""
        await in_a_thread(self._park)

    def _run(self, workflow: str, value: Any) -> Any:
        run = self._start(workflow, value)
        while True:
            seen = self._ask("GET", f"/status/{run}", headers={"Prefer": "wait=30"})
            if seen["state"] == "COMPLETED":
                return seen["output"]
            if seen["state"] in _ENDED:
                raise ValueError(f"{run} is {seen['state']}: {seen['failure']}")

    def _start(self, workflow: str, value: Any) -> str:
        return str(self._ask("POST", f"/workflows/{workflow}", json.dumps(value))["instance_id"])

    def _park(self) -> None:
        run = self._start("request_escalation", {"amount": 5000})
        while (
            self._ask("GET", f"/status/{run}", headers={"Prefer": "wait=5"})["state"] != "RUNNING"
        ):
            pass

    def _load(self, legs: int) -> str:
        csv = "origin,destination\n" + "AMS,JFK\n" * legs
        loaded = self._ask("POST", "/batches", csv, {"Content-Type": "text/csv"})
        return str(loaded["batch_id"])

    @retry(
        retry=retry_if_exception_type(AwayError),
        wait=wait_fixed(_AGAIN_SECONDS),
        stop=stop_after_delay(_AWAY_SECONDS),
        reraise=True,
    )
    def _ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        connection = self._connection()
        connection.request(method, path, body, {**self._headers, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        self._local.used = time.monotonic()
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise AwayError(f"{method} {path}: {content[:300]!r}")
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
            raise ValueError(f"{method} {path}: {answer.status} {content[:300]!r}")
        value: dict[str, Any] = json.loads(content)
        return value

    def _connection(self) -> HTTPConnection:
        """Return this thread's connection, a new one if it has rested for too long."""
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = HTTPConnection(self._host, timeout=120)
            self._local.used = time.monotonic()
        elif time.monotonic() - self._local.used > _IDLE_SECONDS:
            connection.close()  # it is opened again by the next request
        return connection


async def _make() -> Holdfast:
    return Holdfast(os.environ["BENCH_API_URL"], os.environ["BENCH_API_TOKEN"])


if __name__ == "__main__":
    serve(_make)
