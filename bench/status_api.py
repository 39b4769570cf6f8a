"""Measure the status API on a local stack of its own: requests per second and latencies.

A closed loop of a few clients on the same machine, so the clients' own work is in the figures.
``GET`` is measured on running runs with histories of about 10, 100 and 2,000 events and on one
that has ended; ``POST`` starts chains that really run. Prints one table; nothing is kept.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_local.stack import Stack

CLIENTS = 8
SECONDS = 8.0
HISTORIES = (10, 100, 2_000)
#: Each poll fails this often before it succeeds: nine events of history each time.
_FAILURES = 99


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


@contextmanager
def job() -> Iterator[str]:
    """Serve a job that mostly answers nonsense, so that a monitor's history grows."""
    asked = count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sane = next(asked) % (_FAILURES + 1) == 0
            body = b'{"status": "running"}' if sane else b"{}"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep the table clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/job"
    finally:
        server.shutdown()


def parked(api: Api, job_url: str, events: int) -> tuple[str, int]:
    """Return a suspended run with about so many events of history, and how many it has."""
    retry = {"attempts": 100, "first_interval_seconds": 0.01, "max_interval_seconds": 0.01}
    monitor = {"job_id": job_url, "poll_interval_seconds": 0.1, "retry": retry}
    started = json.loads(api.ask("POST", "/workflows/job_status_monitor", monitor)[1])
    run = str(started["instance_id"])

    def grown() -> bool:
        return _events(api, run) >= events

    _until(grown, seconds=180)
    api.ask("POST", f"/runs/{run}/suspend", {})
    _until(lambda: api.get(f"/status/{run}")["state"] == "SUSPENDED", seconds=60)
    return run, _events(api, run)


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


def main() -> None:
    """Measure and print."""
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
        with job() as job_url:
            for events in HISTORIES:
                run, seen = parked(api, job_url, events)
                row(f"GET running, {seen} events", load(stack, "GET", f"/status/{run}"))
        started = json.loads(api.ask("POST", "/workflows/task_chain", 1)[1])
        ended = str(started["instance_id"])
        _until(lambda: api.get(f"/status/{ended}")["state"] == "COMPLETED", seconds=60)
        row("GET ended", load(stack, "GET", f"/status/{ended}"))
        row("POST task_chain", load(stack, "POST", "/workflows/task_chain", 1))
    finally:
        stack.delete()
    Console(file=sys.stdout).print(table)


if __name__ == "__main__":
    main()
