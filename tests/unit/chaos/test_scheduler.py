"""What Dapr's scheduler holds is read from its etcd, also when the way there has just broken."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from holdfast_chaos.scheduler import busy, scheduler_jobs


@pytest.fixture
def etcd() -> Iterator[str]:
    """An etcd whose first connection ends without an answer, as a forwarded port's may."""
    lost: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if not lost:
                lost.append(self.path)
                return
            rows = [{"key": b64encode(f"dapr/jobs/{name}".encode()).decode()} for name in "ab"]
            body = json.dumps({"kvs": rows}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    assert lost == ["/v3/kv/range"]


def test_jobs_are_asked_for_again_when_the_way_to_the_scheduler_broke(etcd: str) -> None:
    assert scheduler_jobs(etcd) == ("a", "b")


def test_timers_and_retention_are_no_work_under_way() -> None:
    memory = "app||default||orchestrator||holdfast-memory-1"
    jobs = ("x||timer-1", "x||retention", memory, "x||run-activity")
    assert busy(jobs) == ["x||run-activity"]
