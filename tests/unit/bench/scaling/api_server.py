"""A small real API server: it keeps objects, lists them, and merges patches into them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request
from kubernetes.client import ApiClient, Configuration
from werkzeug.serving import make_server

NAMESPACE = "holdfast"
_GROUPS = {
    "deployments": "apps/v1",
    "horizontalpodautoscalers": "autoscaling/v2",
    "scaledobjects": "keda.sh/v1alpha1",
}
Object = dict[str, Any]


def merge(target: Object, patch: Object) -> None:
    """Merge as RFC 7396 says: what is null goes."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


@dataclass
class Cluster:
    """What is there; pods follow their Deployment at once."""

    objects: dict[str, dict[str, Object]] = field(
        default_factory=lambda: {"deployments": {}, "horizontalpodautoscalers": {}}
    )
    #: In order: which object was patched.
    patched: list[str] = field(default_factory=list)
    #: Pods that no Deployment wants any more.
    ending: list[Object] = field(default_factory=list)
    client: ApiClient = field(default_factory=ApiClient)

    def add(self, kind: str, name: str, spec: Object, **metadata: Any) -> Object:
        """Have an object."""
        made = {"metadata": {"name": name, "annotations": {}, **metadata}, "spec": spec}
        self.objects.setdefault(kind, {})[name] = made
        return made

    def deployment(self, name: str, replicas: int) -> Object:
        """Have a Deployment."""
        labels = {"app.kubernetes.io/name": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        return self.add("deployments", name, spec)

    def replicas(self) -> dict[str, int]:
        """Return how many pods each Deployment wants."""
        return {name: one["spec"]["replicas"] for name, one in self.objects["deployments"].items()}

    def pods(self, name: str) -> list[Object]:
        """Return the pods of a Deployment."""
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        count = self.objects["deployments"][name]["spec"]["replicas"]
        pods: list[Object] = [
            {"metadata": {"name": f"{name}-{at}"}, "status": ready} for at in range(count)
        ]
        return pods + self.ending


@contextmanager
def running() -> Iterator[Cluster]:
    """Serve until the block ends."""
    app, cluster = Flask(__name__), Cluster()

    @app.get(f"/api/v1/namespaces/{NAMESPACE}/pods")
    def pods() -> Response:
        return jsonify(items=cluster.pods(request.args["labelSelector"].partition("=")[2]))

    def listed(kind: str) -> Response | tuple[Response, int]:
        if kind not in cluster.objects:
            return jsonify(reason="NotFound"), 404
        return jsonify(items=list(cluster.objects[kind].values()))

    def patched(kind: str, name: str) -> Response:
        cluster.patched.append(f"{kind}/{name}")
        merge(cluster.objects[kind][name], request.get_json(force=True))
        return jsonify(cluster.objects[kind][name])

    for kind, group in _GROUPS.items():
        place, defaults = f"/apis/{group}/namespaces/{NAMESPACE}/{kind}", {"kind": kind}
        app.add_url_rule(place, f"list {kind}", listed, methods=["GET"], defaults=defaults)
        app.add_url_rule(
            f"{place}/<name>", f"patch {kind}", patched, methods=["PATCH"], defaults=defaults
        )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    configuration = Configuration(host=f"http://127.0.0.1:{server.server_port}")
    cluster.client = ApiClient(configuration)
    try:
        yield cluster
    finally:
        cluster.client.close()
        server.shutdown()
        thread.join()
