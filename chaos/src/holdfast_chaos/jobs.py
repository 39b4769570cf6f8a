"""Jobs behind an HTTP endpoint, for monitors to watch where there is no Kubernetes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PREFIX = "/jobs/"


class HttpJobs:
    """Jobs that run until they are told to complete, or are deleted."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._states: dict[str, str] = {}
        self._lock = threading.Lock()

    def begin(self, name: str) -> str:
        """Make a job that runs until it is ended; return its URL."""
        self._set(name, "running")
        return f"http://127.0.0.1:{self._port}{_PREFIX}{name}"

    def finish(self, name: str) -> None:
        """Let the job complete."""
        self._set(name, "completed")

    def delete(self, name: str) -> None:
        """Delete the job while it runs."""
        with self._lock:
            self._states.pop(name, None)

    def state(self, name: str) -> str | None:
        """Return how far a job is, or none if there is none of that name."""
        with self._lock:
            return self._states.get(name)

    def _set(self, name: str, state: str) -> None:
        with self._lock:
            self._states[name] = state


@contextmanager
def serving_jobs() -> Iterator[HttpJobs]:
    """Serve jobs on a free loopback port until the block ends."""

    def answer(path: str) -> Mapping[str, str] | None:
        state = jobs.state(path.removeprefix(_PREFIX))
        return None if state is None else {"status": state}

    with serving_json(answer) as port:
        jobs = HttpJobs(port)
        yield jobs


@contextmanager
def serving_json(answer: Callable[[str], Mapping[str, str] | None]) -> Iterator[int]:
    """Answer GET requests with JSON on a free loopback port until the block ends; give the port.

    ``answer`` is given the path; none is a 404.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = answer(self.path)
            body = json.dumps({"title": "no such job"} if found is None else dict(found)).encode()
            self.send_response(HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet: the live view has the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="jobs", daemon=True
    )
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
