"""A real HTTP server that answers as the status API is documented to, route by route."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import make_server

ACCEPTED_AT = "2026-11-22T18:13:45.298234Z"
DONE_AT = "2026-11-22T18:13:46.000000Z"


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """What a client sent."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a value."""
        return json.loads(self.body)


@dataclass
class Api:
    """The server: what it answers on each route, and what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=lambda: defaultdict(list))

    def on(
        self,
        method: str,
        path: str,
        document: Any = None,
        status: int = 200,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> None:
        """Add an answer to a route. They are given one by one; the last one stays."""
        media_type = "application/problem+json" if status >= 400 else "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(document).encode() if raw is None else raw
        self.answers[method, path].append(
            Answer(status, body, {"Content-Type": media_type, **named})
        )

    def problem(self, method: str, path: str, status: int, title: str, **members: Any) -> None:
        """Add a refusal to a route."""
        self.on(method, path, {"title": title, "status": status, **members}, status)

    def requests_for(self, method: str, path: str) -> list[Asked]:
        """Return what was asked of one route."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    @property
    def only(self) -> Asked:
        """The one request that there was."""
        (asked,) = self.asked
        return asked


def run_document(instance_id: str = "r1", state: str = "RUNNING", **members: Any) -> dict[str, Any]:
    """Return a status document."""
    return {
        "instance_id": instance_id,
        "workflow": "task_chain",
        "state": state,
        "input": 1,
        "output": [2, 4, 16] if state == "COMPLETED" else None,
        "custom_status": None,
        "failure": None,
        "accepted_at": ACCEPTED_AT,
        "started_at": ACCEPTED_AT,
        "updated_at": ACCEPTED_AT,
        "finished_at": "2026-11-22T18:13:46.5Z" if state == "COMPLETED" else None,
        "stale": False,
        "links": {"self": f"/status/{instance_id}"},
        **members,
    }


def accepted_document(instance_id: str = "r1") -> dict[str, Any]:
    """Return what a start is answered with."""
    return {
        "instance_id": instance_id,
        "workflow": "task_chain",
        "state": "PENDING",
        "accepted_at": ACCEPTED_AT,
        "links": {"self": f"/status/{instance_id}"},
    }


def attempt_document(step: str, **members: Any) -> dict[str, Any]:
    """Return an attempt of a timeline, one that goes on."""
    return {
        "id": 1,
        **_of(step),
        "started_at": ACCEPTED_AT,
        "finished_at": None,
        "outcome": None,
        "error_type": None,
        "error": None,
        **members,
    }


def effect_document(step: str, **members: Any) -> dict[str, Any]:
    """Return an effect of a timeline."""
    return {"seq": 1, **_of(step), "kind": "effect", "committed_at": DONE_AT, **members}


def _of(step: str) -> dict[str, Any]:
    return {
        "key": f"r1|0|{step}|0",
        "step": step,
        "index": 0,
        "epoch": 0,
        "runner": "r1",
        "pod": "pod-a/7",
    }


@contextmanager
def running_api() -> Iterator[Api]:
    """Serve until the block ends."""
    api = Api()
    app = Flask(__name__)

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "DELETE"])
    @app.route("/<path:path>", methods=["GET", "POST", "DELETE"])
    def serve(path: str) -> Response:
        # As it came, with its escapes: what a client put into one segment stays in one.
        route = str(request.environ["RAW_URI"]).split("?")[0]
        api.asked.append(
            Asked(
                request.method,
                route,
                request.args.to_dict(flat=False),
                {name.lower(): value for name, value in request.headers},
                request.get_data(),
            )
        )
        answers = api.answers.get((request.method, route))
        if not answers:
            body = json.dumps({"title": "Not Found", "status": 404})
            return Response(body, 404, content_type="application/problem+json")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return Response(answer.body, answer.status, dict(answer.headers))

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
