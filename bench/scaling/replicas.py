"""Numbers of pods, held still for a measurement and put back whatever happens to it.

What has to be put back is noted at the objects themselves before it is changed: a measurement that
was killed is put right by the next one. Autoscalers are told to want what the measurement wants; an
autoscaler that KEDA made is KEDA's, so KEDA itself is told to pause.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from kubernetes.client import (
    ApiClient,
    ApiException,
    AppsV1Api,
    AutoscalingV2Api,
    CoreV1Api,
    CustomObjectsApi,
)

from bench.processes import BenchError, until

#: Where it is noted how it was.
BEFORE = "holdfast.dev/bench-before"
PAUSED = "autoscaling.keda.sh/paused-replicas"
_API_SECONDS = 10.0
_STILL_SECONDS = 180.0
_KEDA = ("keda.sh", "v1alpha1")
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class _Kind:
    """A kind of object that decides on numbers of pods."""

    listed: Callable[[], Any]
    patch: Callable[[str, Mapping[str, Any]], Any]
    #: Of an object: which Deployment it is about; nothing: it is none of ours.
    about: Callable[[Mapping[str, Any]], str]
    #: Of an object: what of it is changed, as a patch that would bring it back.
    now: Callable[[Mapping[str, Any]], dict[str, Any]]
    #: What makes it want so many pods.
    wanting: Callable[[int], dict[str, Any]]


class Replicas:
    """The numbers of pods of some Deployments of a namespace."""

    def __init__(self, client: ApiClient, namespace: str, deployments: tuple[str, ...]) -> None:
        self._client = client
        self._namespace = namespace
        self._deployments = deployments
        self._core: Any = CoreV1Api(client)
        # Who wants what comes first, or an autoscaler would undo what a Deployment is told.
        self._kinds = (self._scaled_objects(), self._autoscalers(), self._plain())

    @contextmanager
    def held(self) -> Iterator[Replicas]:
        """Put back what an earlier measurement left, and after the block what this one changed."""
        self.restore()
        try:
            yield self
        finally:
            self.restore()

    def scale(self, wanted: Mapping[str, int]) -> None:
        """Want so many pods of each Deployment, and return when there are, and no others."""
        for kind in self._kinds:
            for about, found in self._ours(kind):
                if about in wanted:
                    self._note(kind, found)
                    kind.patch(found["metadata"]["name"], kind.wanting(wanted[about]))
        self.wait(wanted)

    def restore(self) -> None:
        """Put back whatever is noted at an object, and forget the note."""
        for kind in self._kinds:
            for _about, found in self._ours(kind):
                noted = (found["metadata"].get("annotations") or {}).get(BEFORE)
                if noted is not None:
                    back = json.loads(noted)
                    annotations = back.setdefault("metadata", {}).setdefault("annotations", {})
                    annotations[BEFORE] = None
                    kind.patch(found["metadata"]["name"], back)

    def wait(self, wanted: Mapping[str, int]) -> None:
        """Return when each Deployment has so many pods, all ready, and none that still ends."""
        seen: dict[str, str] = {}

        def still() -> bool:
            for name in wanted:
                listed = self._core.list_namespaced_pod(
                    self._namespace,
                    label_selector=f"app.kubernetes.io/name={name}",
                    _request_timeout=_API_SECONDS,
                )
                ready = sum(map(_is_ready, listed.items))
                seen[name] = f"{ready} of {len(listed.items)} pods of {name} are ready"
                if not ready == len(listed.items) == wanted[name]:
                    return False
            return True

        try:
            until(still, seconds=_STILL_SECONDS, what=f"pods {dict(wanted)}")
        except BenchError as error:
            raise BenchError(f"{error}: {', '.join(seen.values())}") from error

    def _note(self, kind: _Kind, found: Mapping[str, Any]) -> None:
        """Write down at an object how it was, unless that is written there."""
        annotations = found["metadata"].get("annotations") or {}
        if BEFORE not in annotations:
            noted = {"metadata": {"annotations": {BEFORE: json.dumps(kind.now(found))}}}
            kind.patch(found["metadata"]["name"], noted)

    def _ours(self, kind: _Kind) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the objects that are about our Deployments, each with which one that is."""
        try:
            listed = self._client.sanitize_for_serialization(kind.listed())
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:  # there is no such kind here
                return []
            raise
        named = [(kind.about(one), one) for one in listed["items"]]
        return [(about, one) for about, one in named if about in self._deployments]

    def _plain(self) -> _Kind:
        apps: Any = AppsV1Api(self._client)
        return _Kind(
            listed=lambda: apps.list_namespaced_deployment(
                self._namespace, _request_timeout=_API_SECONDS
            ),
            patch=lambda name, body: apps.patch_namespaced_deployment(
                name, self._namespace, body, _request_timeout=_API_SECONDS
            ),
            about=lambda one: str(one["metadata"]["name"]),
            now=lambda one: {"spec": {"replicas": one["spec"]["replicas"]}},
            wanting=lambda count: {"spec": {"replicas": count}},
        )

    def _autoscalers(self) -> _Kind:
        scaling: Any = AutoscalingV2Api(self._client)
        return _Kind(
            listed=lambda: scaling.list_namespaced_horizontal_pod_autoscaler(
                self._namespace, _request_timeout=_API_SECONDS
            ),
            patch=lambda name, body: scaling.patch_namespaced_horizontal_pod_autoscaler(
                name, self._namespace, body, _request_timeout=_API_SECONDS
            ),
            about=lambda one: "" if _is_kedas(one) else str(one["spec"]["scaleTargetRef"]["name"]),
            now=lambda one: {
                "spec": {
                    "minReplicas": one["spec"].get("minReplicas"),
                    "maxReplicas": one["spec"]["maxReplicas"],
                }
            },
            wanting=lambda count: {"spec": {"minReplicas": count, "maxReplicas": count}},
        )

    def _scaled_objects(self) -> _Kind:
        custom: Any = CustomObjectsApi(self._client)
        where = (*_KEDA, self._namespace, "scaledobjects")
        return _Kind(
            listed=lambda: custom.list_namespaced_custom_object(
                *where, _request_timeout=_API_SECONDS
            ),
            patch=lambda name, body: custom.patch_namespaced_custom_object(
                *where, name, body, _content_type=_MERGE, _request_timeout=_API_SECONDS
            ),
            about=lambda one: str(one["spec"]["scaleTargetRef"]["name"]),
            now=lambda one: {
                "metadata": {
                    "annotations": {PAUSED: (one["metadata"].get("annotations") or {}).get(PAUSED)}
                }
            },
            wanting=lambda count: {"metadata": {"annotations": {PAUSED: str(count)}}},
        )


def _is_kedas(autoscaler: Mapping[str, Any]) -> bool:
    owners = autoscaler["metadata"].get("ownerReferences") or ()
    return any(owner["kind"] == "ScaledObject" for owner in owners)


def _is_ready(pod: Any) -> bool:
    conditions = {one.type: one.status for one in pod.status.conditions or ()}
    return pod.metadata.deletion_timestamp is None and conditions.get("Ready") == "True"
