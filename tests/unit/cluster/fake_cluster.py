"""An API server that knows some objects: what is asked of it is noted, what is changed stays so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from kubernetes.client import ApiClient, Configuration

_NOT_FOUND = {"kind": "Status", "code": 404}
_TOO_MANY = {"kind": "Status", "code": 429}


@dataclass
class FakeCluster:
    """An API server on loopback; lists have the objects below them, or those that are set."""

    port: int
    objects: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    #: How often the eviction of a pod is still against a disruption budget.
    budgets: dict[str, int] = field(default_factory=dict)
    #: Called before each answer: what controllers and kubelets do meanwhile.
    meanwhile: Callable[[str, str], None] = lambda _method, _path: None

    @property
    def client(self) -> ApiClient:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{self.port}"
        return ApiClient(configuration)

    def namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        self.objects[f"/api/v1/namespaces/{name}"] = {
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels or {}},
        }

    def answer(self, method: str, path: str, query: str, body: str) -> tuple[int, Any]:
        self.asked.append((method, path))
        self.meanwhile(method, path)
        if path.endswith("/eviction"):
            return self._evict(path.removesuffix("/eviction"))
        found = self.objects.get(path)
        if found is None and method == "GET":
            found = self._listed(path)
        if found is None:
            return 404, _NOT_FOUND
        if method == "PATCH":
            _merge(found, json.loads(body))
        elif method == "DELETE" and "items" in found:
            found["items"] = []
        elif method == "DELETE":
            del self.objects[path]
        elif "items" in found:
            found = {"items": [one for one in found["items"] if _chosen(one, parse_qs(query))]}
        return 200, found

    def _listed(self, path: str) -> dict[str, Any] | None:
        below = [one for name, one in self.objects.items() if name.rpartition("/")[0] == path]
        return {"items": below} if below or path.endswith("/pods") else None

    def _evict(self, pod: str) -> tuple[int, Any]:
        name = pod.rpartition("/")[2]
        if pod not in self.objects:
            return 404, _NOT_FOUND
        if self.budgets.get(name, 0):
            self.budgets[name] -= 1
            return 429, _TOO_MANY
        del self.objects[pod]
        return 201, {"kind": "Status", "status": "Success"}


@contextmanager
def running_cluster() -> Iterator[FakeCluster]:
    """Give a server that runs until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("content-length") or 0)
            text = self.rfile.read(length).decode()
            status, found = known.answer(self.command, path, query, text)
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class's names

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = FakeCluster(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _chosen(one: Mapping[str, Any], query: Mapping[str, list[str]]) -> bool:
    """Tell whether an object has the labels and the fields of a request's selectors."""
    labels = one["metadata"].get("labels", {})
    return all(
        labels.get(name) == value for name, value in _pairs(query.get("labelSelector"))
    ) and all(_field(one, path) == value for path, value in _pairs(query.get("fieldSelector")))


def _pairs(selectors: list[str] | None) -> list[tuple[str, str]]:
    parts = [part.partition("=") for part in (selectors or [""])[0].split(",") if part]
    return [(name, value) for name, _, value in parts]


def _field(one: Mapping[str, Any], path: str) -> Any:
    found: Any = one
    for name in path.split("."):
        found = found.get(name, {})
    return found


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Apply a JSON merge patch: what is null in it goes."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = value
