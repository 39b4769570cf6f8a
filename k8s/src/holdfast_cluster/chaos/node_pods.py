"""Shells on the nodes of any cluster: a privileged pod on each, where the user allows it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from kubernetes.client import ApiClient, ApiException, CoreV1Api

from holdfast_chaos.targets.cluster import API_SECONDS, patient
from holdfast_chaos.targets.nodes import NodeError
from holdfast_chaos.waiting import last_problem
from holdfast_cluster.kube import Kube

_READY_SECONDS = 90.0
_LABEL = "holdfast.dev/chaos-node"
#: Into the node's own namespaces: there, signals reach every process, and rules every packet.
_ENTER = ("nsenter", "--target", "1", "--mount", "--uts", "--ipc", "--net", "--pid", "--", "sh")


class NodePods:
    """One pod for each node that is asked for; all of them go with ``close``."""

    def __init__(self, client: ApiClient, kube: Kube, namespace: str, image: str) -> None:
        self._core: Any = CoreV1Api(client)
        self._kube = kube
        self._namespace = namespace
        self._image = image
        self._pods: dict[str, str] = {}

    def shell(self, node: str) -> Sequence[str]:
        """Return the command of a shell on a node, with its pod made and ready."""
        if node not in self._pods:
            name = f"holdfast-chaos-{uuid.uuid4().hex[:8]}"
            self._pods[node] = name
            self._make(name, node)
            last = last_problem(partial(self._unready, name), _READY_SECONDS)
            if last is not None:
                raise NodeError(f"{node}: its pod {self._namespace}/{name} is not ready: {last}")
        return (
            str(self._kube.kubectl),
            *("--kubeconfig", str(self._kube.kubeconfig), "--namespace", self._namespace),
            *("exec", "--stdin", self._pods[node], "--", *_ENTER),
        )

    def close(self) -> None:
        """Delete the pods, and those that an interrupted suite left."""
        self._pods.clear()
        with suppress(ApiException):
            self._core.delete_collection_namespaced_pod(
                self._namespace,
                label_selector=_LABEL,
                grace_period_seconds=0,
                _request_timeout=API_SECONDS,
            )

    @patient
    def _make(self, name: str, node: str) -> None:
        try:
            self._core.create_namespaced_pod(
                self._namespace, self._manifest(name, node), _request_timeout=API_SECONDS
            )
        except ApiException as error:
            if error.reason != "Conflict":  # made already, and only the answer was lost
                raise NodeError(f"{node}: no pod can be made on it: {error.body}") from error

    @patient
    def _unready(self, name: str) -> str | None:
        pod = self._core.read_namespaced_pod(name, self._namespace, _request_timeout=API_SECONDS)
        statuses = pod.status.container_statuses or ()
        if any(one.state.running is not None for one in statuses):
            return None
        waits = [one.state.waiting for one in statuses if one.state.waiting is not None]
        return waits[0].reason if waits else str(pod.status.phase)

    def _manifest(self, name: str, node: str) -> dict[str, Any]:
        return {
            "metadata": {
                "name": name,
                "labels": {_LABEL: "true"},
                "annotations": {"dapr.io/enabled": "false"},
            },
            "spec": {
                "nodeName": node,
                "hostPID": True,
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 0,
                # A drain may leave it, and a full or tainted node takes it.
                "tolerations": [{"operator": "Exists"}],
                "containers": [
                    {
                        "name": "node",
                        "image": self._image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sleep", "infinity"],
                        "securityContext": {"privileged": True, "runAsUser": 0},
                    }
                ],
            },
        }
