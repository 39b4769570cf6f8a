"""Kubernetes Jobs for monitors to watch: suspended until they may complete."""

from __future__ import annotations

from typing import Any

from kubernetes.client import ApiClient, ApiException, BatchV1Api

from holdfast_chaos.targets.cluster import API_SECONDS, patient

_LABEL = "holdfast.dev/chaos"
_MISSING = 404


class KubernetesJobs:
    """Jobs in a namespace. A suspended one has neither completed nor failed: it runs on."""

    def __init__(self, client: ApiClient, namespace: str, image: str) -> None:
        """Take an image that the nodes have, with a Python in it."""
        self._batch: Any = BatchV1Api(client)
        self._namespace = namespace
        self._image = image

    @patient
    def begin(self, name: str) -> str:
        """Make a job that runs until it is ended; return the ID that a monitor takes."""
        try:
            self._batch.create_namespaced_job(
                self._namespace, self._manifest(name), _request_timeout=API_SECONDS
            )
        except ApiException as error:
            if error.reason != "Conflict":  # made already, and only the answer was lost
                raise
        return f"kubernetes:{self._namespace}/{name}"

    @patient
    def finish(self, name: str) -> None:
        """Let the job complete."""
        self._batch.patch_namespaced_job(
            name, self._namespace, {"spec": {"suspend": False}}, _request_timeout=API_SECONDS
        )

    @patient
    def delete(self, name: str) -> None:
        """Delete the job while it runs."""
        try:
            self._batch.delete_namespaced_job(
                name,
                self._namespace,
                propagation_policy="Background",
                _request_timeout=API_SECONDS,
            )
        except ApiException as error:
            if error.status != _MISSING:
                raise

    @patient
    def delete_all(self) -> None:
        """Delete every job that was made for monitors."""
        self._batch.delete_collection_namespaced_job(
            self._namespace,
            label_selector=_LABEL,
            propagation_policy="Background",
            _request_timeout=API_SECONDS,
        )

    def _manifest(self, name: str) -> dict[str, Any]:
        restricted = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        return {
            "metadata": {"name": name, "labels": {_LABEL: "true"}},
            "spec": {
                "suspend": True,
                "backoffLimit": 3,
                "template": {
                    "metadata": {
                        "labels": {_LABEL: "true"},
                        "annotations": {"dapr.io/enabled": "false"},
                    },
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": False,
                        "securityContext": {
                            "runAsNonRoot": True,
                            "runAsUser": 65532,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": "job",
                                "image": self._image,
                                "command": ["python", "-c", ""],
                                "securityContext": restricted,
                            }
                        ],
                    },
                },
            },
        }
