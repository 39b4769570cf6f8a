"""The ways into any cluster with a Holdfast in it: what every such site is made of."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi, VersionApi
from kubernetes.utils.quantity import parse_quantity

from holdfast_chaos import catalogue
from holdfast_chaos.database import sizes
from holdfast_chaos.engine import EngineReader
from holdfast_chaos.scheduler import etcd_bytes, scheduler_jobs
from holdfast_chaos.site import Site
from holdfast_chaos.targets.cluster import Cluster
from holdfast_chaos.targets.deeds import restore
from holdfast_chaos.targets.kubernetes_jobs import KubernetesJobs
from holdfast_chaos.targets.pods import Pods
from holdfast_chaos.tunnel import tunnel
from holdfast_chaos.world import Bounds
from holdfast_cluster.dapr import installed_version
from holdfast_cluster.kube import Kube
from holdfast_local.demo_plan import read_legs
from holdfast_local.folders import repository

#: Pods start in tens of seconds where two cores carry a whole cluster.
BOUNDS = Bounds(terminal_seconds=240.0, recovery_seconds=180.0)
HEAL_SECONDS = 240.0
API_SECONDS = 10.0
#: Where a service listens, and the scheduler's etcd: their charts fix both.
_SERVICE_PORT = 8080
_ETCD_PORT = 2379


@dataclass(frozen=True)
class Ways:
    """What was found out of a cluster."""

    client: ApiClient
    kube: Kube
    #: What may be struck; the orchestrator and the worker are always among it.
    cluster: Cluster
    #: What the certificate calls it.
    name: str
    namespace: str
    dapr_namespace: str
    #: Of the orchestrator's management API: the name of the Secret and the key in it.
    app_token: tuple[str, str]
    #: Gives the URL of the ledger's database while it is entered.
    database: AbstractContextManager[str]
    #: Gives a client of the public API while it is entered.
    api: AbstractContextManager[httpx.Client]
    #: Nodes on which something may have been left besides those with pods of ours.
    nodes: Sequence[str] = ()
    undoable: str = "it needs a shell on the nodes"
    withheld: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def kubernetes_site(ways: Ways) -> Iterator[Site]:
    """Open the ways; put back what an interrupted campaign left, now and at the end."""
    client, cluster = ways.client, ways.cluster
    with ExitStack() as opened:
        restore(cluster, ways.nodes)
        opened.callback(restore, cluster, ways.nodes)
        jobs = KubernetesJobs(client, ways.namespace, image_of(cluster))
        opened.callback(jobs.delete_all)
        etcd = opened.enter_context(
            forwarded(ways.kube, ways.dapr_namespace, "pod/dapr-scheduler-server-0", _ETCD_PORT)
        )
        orchestrator = cluster.components[catalogue.ORCHESTRATOR].deployment
        management = opened.enter_context(
            forwarded(ways.kube, ways.namespace, f"deployment/{orchestrator}", _SERVICE_PORT)
        )
        url = opened.enter_context(ways.database)
        yield Site(
            target=Pods(cluster, ways.name),
            database_url=url,
            api=opened.enter_context(ways.api),
            engine=EngineReader(opened.enter_context(_management(ways, management))),
            jobs=jobs,
            scheduler_jobs=lambda: scheduler_jobs(f"http://127.0.0.1:{etcd}"),
            sample=read_legs(repository() / "samples" / "legs.csv"),
            sizes=lambda: {
                **_memory(ways),
                **sizes(url),
                "scheduler's etcd": etcd_bytes(f"http://127.0.0.1:{etcd}"),
            },
            bounds=BOUNDS,
            heal_seconds=HEAL_SECONDS,
            about=_about(ways),
            put_back=lambda: restore(cluster, ways.nodes),
            undoable=ways.undoable,
            withheld=ways.withheld,
        )


@contextmanager
def forwarded(kube: Kube, namespace: str, what: str, remote: int) -> Iterator[int]:
    """Keep a port of this machine forwarded to something in the cluster; give its number."""
    base = (
        str(kube.kubectl),
        *("--kubeconfig", str(kube.kubeconfig), "--namespace", namespace),
    )
    with tunnel(lambda port: (*base, "port-forward", what, f"{port}:{remote}")) as port:
        yield port


def secret(client: ApiClient, namespace: str, name: str, key: str) -> str:
    """Return one value of a Secret."""
    found: Any = CoreV1Api(client).read_namespaced_secret(name, namespace)
    return base64.b64decode(found.data[key]).decode()


def image_of(cluster: Cluster) -> str:
    """Return the activity worker's image: the nodes have it, and there is a Python in it."""
    where = cluster.components[catalogue.WORKER]
    found = cluster.apps.read_namespaced_deployment(where.deployment, where.namespace)
    containers = found.spec.template.spec.containers
    return str(next(one.image for one in containers if one.name == where.container))


def _management(ways: Ways, port: int) -> httpx.Client:
    """Return a client of the orchestrator's management API, that only its sidecar may use."""
    token = secret(ways.client, ways.namespace, *ways.app_token)
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"dapr-api-token": token},
        timeout=API_SECONDS,
        trust_env=False,
    )


def _about(ways: Ways) -> dict[str, str]:
    version: Any = VersionApi(ways.client).get_code()
    return {
        "Kubernetes": version.git_version,
        "Dapr": installed_version(ways.kube, ways.dapr_namespace) or "?",
    }


def _memory(ways: Ways) -> dict[str, float]:
    """Return the memory of the components' containers, those of one kind together."""
    api: Any = CustomObjectsApi(ways.client)
    found: dict[str, float] = defaultdict(float)
    for namespace in sorted({one.namespace for one in ways.cluster.components.values()}):
        listed = api.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", namespace, "pods")
        for pod in listed["items"]:
            app = pod["metadata"]["labels"].get("app.kubernetes.io/name", "dapr")
            for container in pod["containers"]:
                usage = parse_quantity(container["usage"]["memory"])
                found[f"memory {app}/{container['name']}"] += float(usage)
    return found
