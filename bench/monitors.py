"""Whether a monitor's poll costs the same however many came before it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.contestants.holdfast import Holdfast
from bench.histories import Api
from bench.loads import Step
from bench.plan import Plan
from bench.processes import until

_INTERVAL_SECONDS = 0.1
_SECONDS_A_POLL = 2.0


def measure(holdfast: Holdfast, plan: Plan) -> Iterator[Step]:
    """Yield a step for each number of polls."""
    for polls in plan.polls:
        yield f"monitor of {polls:,} polls", partial(_monitor, holdfast, polls)


def _monitor(holdfast: Holdfast, polls: int) -> dict[str, float]:
    stack = holdfast.ground.stack
    api = Api(stack.api_url, stack.token("admin"))
    with _job(polls) as url:
        began = time.perf_counter()
        wanted = {"job_id": url, "poll_interval_seconds": _INTERVAL_SECONDS}
        run = api.start("job_status_monitor", wanted)
        until(
            lambda: api.state(run) == "COMPLETED",
            seconds=polls * _SECONDS_A_POLL + 60,
            what=f"a monitor of {polls} polls ends",
        )
        seconds = time.perf_counter() - began
    return {f"monitor_{polls}_seconds": seconds - (polls - 1) * _INTERVAL_SECONDS}


@contextmanager
def _job(polls: int) -> Iterator[str]:
    """Serve the status of a job that is done when it was asked for so often."""
    asked = iter(range(1, polls))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                status = "running" if next(asked, None) is not None else "completed"
            body = json.dumps({"status": status}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
            """Say nothing of each request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/job"
    finally:
        server.shutdown()
        server.server_close()
