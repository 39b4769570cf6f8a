"""The cluster that `make cluster deploy` made, as the chaos suite enters it."""

from __future__ import annotations

import base64
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi, VersionApi
from kubernetes.config import new_client_from_config
from kubernetes.utils.quantity import parse_quantity

from holdfast_chaos import catalogue
from holdfast_chaos.database import sizes
from holdfast_chaos.engine import EngineReader
from holdfast_chaos.scheduler import etcd_bytes, scheduler_jobs
from holdfast_chaos.site import Site
from holdfast_chaos.targets.cluster import Cluster, Component
from holdfast_chaos.targets.deeds import restore
from holdfast_chaos.targets.holdfast import components
from holdfast_chaos.targets.kubernetes_jobs import KubernetesJobs
from holdfast_chaos.targets.nodes import NodeShells
from holdfast_chaos.targets.pods import Pods
from holdfast_chaos.tunnel import tunnel
from holdfast_chaos.world import Bounds
from holdfast_cluster import database
from holdfast_cluster.checks import check_cluster
from holdfast_cluster.dapr import NAMESPACE as DAPR
from holdfast_cluster.dapr import installed_version
from holdfast_cluster.engine import Engine, find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.nodes import Condition, Made, read_made
from holdfast_cluster.release import NAMESPACE
from holdfast_local.demo_plan import read_legs
from holdfast_local.folders import repository
from holdfast_local.tokens import EveryRole
from holdfast_local.toolchain import ensure_tools

#: Pods start in tens of seconds where two cores carry a whole cluster.
BOUNDS = Bounds(terminal_seconds=240.0, recovery_seconds=180.0)
HEAL_SECONDS = 240.0
_API_SECONDS = 10.0
_APP_IDS = {name: name for name in ("orchestrator", "activity-worker", "status-api")}
_POSTGRESQL = "postgresql-0"
#: A database role of the harness's own: it holds locks, ends sessions and reads everything.
_ROLE = "holdfast_chaos"


@contextmanager
def cluster_site(name: str) -> Iterator[Site]:
    """Open the ways into a cluster; put back what an interrupted campaign left in it."""
    folder = ClusterFolder(repository(), name)
    made, engine = read_made(folder.made), find_engine(folder.log)
    if made is None or engine is None:
        raise ClusterError(check_cluster(Condition.NONE, name).text)
    kube = Kube(ensure_tools(("kubectl",))["kubectl"], folder.kubeconfig, folder.log)
    tokens = folder.path / "tokens.json"
    if not tokens.exists():
        raise ClusterError("The cluster has no Holdfast: run `make deploy`.")
    with ExitStack() as opened:
        client: ApiClient = opened.enter_context(_client(folder))
        shells = NodeShells(lambda node: _shell(engine, node))
        opened.callback(shells.close)
        where = Component(database.NAMESPACE, "app.kubernetes.io/name=postgresql", "postgresql")
        cluster = Cluster(client, components(NAMESPACE, DAPR, _APP_IDS, where), shells)
        restore(cluster, made.nodes)
        opened.callback(restore, cluster, made.nodes)
        jobs = KubernetesJobs(client, NAMESPACE, _image(cluster))
        opened.callback(jobs.delete_all)
        forward = _forwarding(kube)
        etcd = opened.enter_context(tunnel(forward(DAPR, "pod/dapr-scheduler-server-0", 2379)))
        postgres = opened.enter_context(
            tunnel(forward(database.NAMESPACE, f"pod/{_POSTGRESQL}", 5432))
        )
        management = opened.enter_context(
            tunnel(forward(NAMESPACE, "deployment/orchestrator", 8080))
        )
        password = opened.enter_context(_role(kube))
        url = f"postgresql://{_ROLE}:{password}@127.0.0.1:{postgres}/holdfast"
        yield Site(
            target=Pods(cluster, f"pods on kind ({len(made.nodes)} nodes)"),
            database_url=url,
            api=opened.enter_context(_api(made, tokens)),
            engine=EngineReader(opened.enter_context(_management(client, management))),
            jobs=jobs,
            scheduler_jobs=lambda: scheduler_jobs(f"http://127.0.0.1:{etcd}"),
            sample=read_legs(repository() / "samples" / "legs.csv"),
            sizes=lambda: {
                **_memory(client),
                **sizes(url),
                "scheduler's etcd": etcd_bytes(f"http://127.0.0.1:{etcd}"),
            },
            bounds=BOUNDS,
            heal_seconds=HEAL_SECONDS,
            about=_about(client, kube),
        )


@contextmanager
def _client(folder: ClusterFolder) -> Iterator[ApiClient]:
    client = new_client_from_config(config_file=str(folder.kubeconfig))
    try:
        yield client
    finally:
        client.close()


def _shell(engine: Engine, node: str) -> Sequence[str]:
    host = ("--host", engine.host) if engine.host else ()
    return (engine.client, *host, "exec", "--interactive", node, "sh")


def _forwarding(kube: Kube) -> Callable[[str, str, int], Callable[[int], Sequence[str]]]:
    def forward(namespace: str, what: str, remote: int) -> Callable[[int], Sequence[str]]:
        return lambda port: (
            str(kube.kubectl),
            *("--kubeconfig", str(kube.kubeconfig), "--namespace", namespace),
            *("port-forward", what, f"{port}:{remote}"),
        )

    return forward


def _image(cluster: Cluster) -> str:
    where = cluster.components[catalogue.WORKER]
    found = cluster.apps.read_namespaced_deployment(where.deployment, where.namespace)
    containers = found.spec.template.spec.containers
    return str(next(one.image for one in containers if one.name == where.container))


def _api(made: Made, tokens: Path) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{made.port}",
        auth=EveryRole(json.loads(tokens.read_text("utf-8"))),
        timeout=_API_SECONDS,
        trust_env=False,
    )


def _management(client: ApiClient, port: int) -> httpx.Client:
    """Return a client of the orchestrator's management API, that only its sidecar may use."""
    secret: Any = CoreV1Api(client).read_namespaced_secret("holdfast-app-token", NAMESPACE)
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"dapr-api-token": base64.b64decode(secret.data["token"]).decode()},
        timeout=_API_SECONDS,
        trust_env=False,
    )


@contextmanager
def _role(kube: Kube) -> Iterator[str]:
    """Make the harness's role for as long as the block lasts; give its password."""
    password = secrets.token_hex(16)
    made = f"CREATE ROLE {_ROLE} SUPERUSER LOGIN PASSWORD '{password}'"
    _psql(kube, f"DROP ROLE IF EXISTS {_ROLE}; {made}")
    try:
        yield password
    finally:
        _psql(kube, f"DROP ROLE IF EXISTS {_ROLE}")


def _psql(kube: Kube, statements: str) -> None:
    """Run statements as the superuser, who is known in the database's own pod only."""
    kube.run(
        *("exec", "--stdin", "--namespace", database.NAMESPACE, _POSTGRESQL),
        *("--container", "postgresql", "--"),
        *(
            "/usr/lib/postgresql/15/bin/psql",
            "--no-psqlrc",
            "--username",
            "postgres",
            "--host",
            "/run/postgresql",
        ),
        *("--dbname", "holdfast", "--set", "ON_ERROR_STOP=1", "--quiet"),
        stdin=statements,
    )


def _about(client: ApiClient, kube: Kube) -> dict[str, str]:
    version: Any = VersionApi(client).get_code()
    return {
        "Kubernetes": version.git_version,
        "Dapr": installed_version(kube) or "?",
    }


def _memory(client: ApiClient) -> dict[str, float]:
    """Return the memory of Holdfast's and Dapr's containers, those of one kind together."""
    api: Any = CustomObjectsApi(client)
    found: dict[str, float] = defaultdict(float)
    for namespace in (NAMESPACE, DAPR, database.NAMESPACE):
        listed = api.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", namespace, "pods")
        for pod in listed["items"]:
            app = pod["metadata"]["labels"].get("app.kubernetes.io/name", "dapr")
            for container in pod["containers"]:
                usage = parse_quantity(container["usage"]["memory"])
                found[f"memory {app}/{container['name']}"] += float(usage)
    return found
