"""A cluster as the harness sees it through the API server: pods, by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes.client import ApiClient, ApiException, AppsV1Api, CoreV1Api
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed
from urllib3.exceptions import HTTPError

from holdfast_chaos.targets.nodes import NodeShells

#: How long the API server may take to answer.
API_SECONDS = 10.0
#: From there on it is the server's fault and passes, or the caller's and does not.
_SERVER_FAULT = 500


@dataclass(frozen=True)
class Component:
    """Where the pods of a component are, and which of their containers it is."""

    namespace: str
    selector: str
    container: str
    #: The Deployment that keeps them; none: something else does.
    deployment: str | None = None
    #: How its database sessions begin; none: it has none.
    sessions: str | None = None


@dataclass(frozen=True)
class Pod:
    """A pod of a component, as the API server told it last."""

    namespace: str
    name: str
    uid: str
    node: str
    address: str
    ready: bool
    #: Of the component's own container.
    container_id: str
    restarts: int

    @property
    def identity(self) -> str:
        """Another one after a restart, and another one for every pod."""
        return f"{self.name}/{self.uid[:8]} restarts={self.restarts} {self.container_id[:12]}"


def _passes(error: BaseException) -> bool:
    if isinstance(error, ApiException):
        return (
            error.status is None
            or int(error.status) in {0, 429}
            or (int(error.status) >= _SERVER_FAULT)
        )
    return isinstance(error, HTTPError)


#: Asks again where the API server is away for a moment.
patient = retry(
    retry=retry_if_exception(_passes), stop=stop_after_delay(60), wait=wait_fixed(0.5), reraise=True
)


class Cluster:
    """What the target and its deeds ask of a cluster."""

    def __init__(
        self, client: ApiClient, components: Mapping[str, Component], nodes: NodeShells | None
    ) -> None:
        self.core: Any = CoreV1Api(client)
        self.apps: Any = AppsV1Api(client)
        self.components = dict(components)
        self.nodes = nodes

    @patient
    def pods(self, component: str) -> list[Pod]:
        """Return the pods of a component that are not on their way out, by name."""
        where = self.components[component]
        listed = self.core.list_namespaced_pod(
            where.namespace, label_selector=where.selector, _request_timeout=API_SECONDS
        )
        found = [
            _pod(item, where.container)
            for item in listed.items
            if item.metadata.deletion_timestamp is None
            and item.status.phase not in {"Succeeded", "Failed"}
        ]
        return sorted(found, key=lambda pod: pod.name)

    def choose(self, component: str, *, one: bool, prefer: Sequence[str]) -> list[Pod]:
        """Return all pods of a component that run, or one: rather one that is to be preferred."""
        running = [pod for pod in self.pods(component) if pod.container_id]
        if not one:
            return running
        wanted = {name.partition("/")[0] for name in prefer}
        return sorted(running, key=lambda pod: pod.name not in wanted)[:1]


def _pod(item: Any, container: str) -> Pod:
    statuses = [
        *(item.status.container_statuses or ()),
        *(item.status.init_container_statuses or ()),
    ]
    own = next((status for status in statuses if status.name == container), None)
    running = own is not None and own.state is not None and own.state.running is not None
    conditions = {one.type: one.status for one in item.status.conditions or ()}
    return Pod(
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        uid=item.metadata.uid,
        node=item.spec.node_name or "",
        address=item.status.pod_ip or "",
        ready=conditions.get("Ready") == "True",
        container_id=(own.container_id or "").rpartition("//")[2] if running and own else "",
        restarts=own.restart_count if own else 0,
    )
