"""A real HTTP server on loopback whose answers a test sets while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LONGEST_HOLD_SECONDS = 60


@dataclass
class Answer:
    """One HTTP response."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    #: Held back until this is set.
    after: threading.Event | None = None


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """The server's address, what it answers next, and what it was asked."""

    port: int
    #: Taken one by one; the last one stays.
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    requests: list[Request] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The address as an allow-list names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address as a client uses it."""
        return f"http://{self.host}"

    def answer(self) -> Answer:
        """Take the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def running_site() -> Iterator[Site]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.requests.append(Request(self.command, self.path, headers, body))
            answer = site.answer()
            if answer.after is not None:
                answer.after.wait(timeout=_LONGEST_HOLD_SECONDS)
            # Whoever asked may have lost patience in the meantime.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._reply(answer)

        def _reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _serve  # noqa: N815 - the base class looks for these names

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: the test reads `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
