"""Measure the status API on a local stack of its own: requests per second and latencies.

A closed loop of a few clients on the same machine, so the clients' own work is in the figures.
Reads and actions are measured on running runs with histories of about 10, 100 and 2,000 events,
reads also on one that has ended; starts are of chains that really run. Prints one table with the
load of the machine; nothing is kept.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_local.stack import Stack

CLIENTS = 8
SECONDS = 8.0
HISTORIES = (10, 100, 2_000)


class Api:
    """One keep-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Return status and body."""
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, path, payload, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def get(self, path: str) -> dict[str, object]:
        """Return a JSON object."""
        value: dict[str, object] = json.loads(self.ask("GET", path)[1])
        return value


def waiting(api: Api, stack: Stack, events: int) -> tuple[str, int]:
    """Return a run that waits, with about so many events of history, and how many it has.

    It is sent what it does not wait for, past the API, which would refuse that.
    """
    started = json.loads(api.ask("POST", "/workflows/request_escalation", {"amount": 5000})[1])
    run = str(started["instance_id"])
    _until(lambda: api.get(f"/status/{run}")["state"] == "RUNNING", seconds=60)
    engine = HTTPConnection(urlsplit(stack.orchestrator_url).netloc, timeout=30)
    token = {"dapr-api-token": stack.identity.secrets.app_token, "Content-Type": "application/json"}
    seen = _events(api, run)
    while seen < events:
        for number in range(max(1, min(50, (events - seen) // 4))):
            note = json.dumps({"event_id": f"{run}-{seen}-{number}", "data": {}})
            engine.request("POST", f"/instances/{run}/events/note", note, token)
            engine.getresponse().read()
        seen = _events(api, run)
    return run, seen


def _events(api: Api, run: str) -> int:
    history = api.get(f"/runs/{run}/history").get("events", [])
    return len(history) if isinstance(history, list) else 0


def _until(reached: Callable[[], bool], *, seconds: float) -> None:
    Retrying(
        retry=retry_if_result(lambda is_so: not is_so),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.05),
    )(reached)


def load(stack: Stack, method: str, path: str, body: object = None) -> tuple[float, list[float]]:
    """Ask in a closed loop; return requests per second and all latencies in ms."""
    latencies: list[float] = []
    end = time.monotonic() + SECONDS

    def client() -> None:
        api = Api(stack.api_url, stack.token("admin"))
        mine = []
        while time.monotonic() < end:
            began = time.perf_counter()
            status, answer = api.ask(method, path, body)
            mine.append((time.perf_counter() - began) * 1000)
            if status not in {200, 202}:
                raise SystemExit(f"{method} {path}: {status} {answer[:300]!r}")
        latencies.extend(mine)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(latencies) / SECONDS, latencies


def steer(stack: Stack, run: str) -> tuple[float, list[float]]:
    """Suspend and resume a run in turn, one client; return as `load` does."""
    api = Api(stack.api_url, stack.token("admin"))
    latencies = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for action in ("suspend", "resume"):
            began = time.perf_counter()
            status, answer = api.ask("POST", f"/runs/{run}/{action}", {})
            latencies.append((time.perf_counter() - began) * 1000)
            if status != HTTPStatus.ACCEPTED:
                raise SystemExit(f"{action}: {status} {answer[:300]!r}")
    return len(latencies) / SECONDS, latencies


def main() -> None:
    """Measure and print."""
    before = os.getloadavg()[0]
    stack = Stack("bench")
    stack.delete()
    stack.up()
    table = Table("what", "requests/s", "p50 ms", "p99 ms", title=f"{CLIENTS} clients")

    def row(what: str, measured: tuple[float, list[float]]) -> None:
        rate, latencies = measured
        cuts = statistics.quantiles(latencies, n=100)
        table.add_row(what, f"{rate:.0f}", f"{cuts[49]:.1f}", f"{cuts[98]:.1f}")

    try:
        api = Api(stack.api_url, stack.token("admin"))
        for events in HISTORIES:
            run, seen = waiting(api, stack, events)
            row(f"GET running, {seen} events", load(stack, "GET", f"/status/{run}"))
            row(f"GET its history, {seen} events", load(stack, "GET", f"/runs/{run}/history"))
            row(f"POST suspend/resume, {seen} events", steer(stack, run))
        started = json.loads(api.ask("POST", "/workflows/task_chain", 1)[1])
        ended = str(started["instance_id"])
        _until(lambda: api.get(f"/status/{ended}")["state"] == "COMPLETED", seconds=60)
        row("GET ended", load(stack, "GET", f"/status/{ended}"))
        row("POST task_chain", load(stack, "POST", "/workflows/task_chain", 1))
    finally:
        stack.delete()
    Console(file=sys.stdout).print(
        table, f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    )


if __name__ == "__main__":
    main()
