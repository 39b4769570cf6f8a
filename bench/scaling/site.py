"""The cluster that `make cluster deploy` made, with its counters and its API."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes.client import ApiClient, AppsV1Api, VersionApi

from bench.scaling.containers import Container, Containers
from bench.scaling.counters import Counters
from bench.scaling.replicas import Replicas
from holdfast_chaos import catalogue
from holdfast_chaos.targets.cluster import Cluster, Component
from holdfast_chaos.targets.holdfast import SERVICES, components
from holdfast_chaos.targets.nodes import NodeShells
from holdfast_cluster import database
from holdfast_cluster.chaos.cluster_site import client_of
from holdfast_cluster.chaos.ways import forwarded
from holdfast_cluster.checks import check_cluster
from holdfast_cluster.cluster import alone
from holdfast_cluster.dapr import NAMESPACE as DAPR
from holdfast_cluster.dapr import installed_version
from holdfast_cluster.engine import Engine, find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.nodes import Condition, read_made
from holdfast_cluster.release import NAMESPACE
from holdfast_local.build_view import BuildView
from holdfast_local.folders import repository
from holdfast_local.toolchain import ensure_tools

SCALED = (catalogue.ORCHESTRATOR, catalogue.WORKER)
_APP_IDS = {name: name for name in SERVICES}
_POSTGRESQL = "postgresql-0"
_SCHEDULERS = 3
_ETCD_PORT, _PORT = 2379, 5432
_API_SECONDS = 10.0
_ROLE = "holdfast_bench"
_PSQL = ("/usr/lib/postgresql/15/bin/psql", "--no-psqlrc", "--username", "postgres")


@dataclass(frozen=True)
class Site:
    """A cluster, ready to be measured."""

    url: str
    token: str
    replicas: Replicas
    counters: Counters
    versions: Mapping[str, str]
    nodes: Sequence[str]
    _cluster: Cluster
    _shells: NodeShells

    def containers(self) -> Containers:
        """Return all containers as they are now."""
        return Containers(
            self._shells,
            [
                Container(component, pod.node, pod.container_id)
                for component in self._cluster.components
                for pod in self._cluster.pods(component)
            ],
        )

    def pods(self) -> dict[str, int]:
        """Return how many pods each component has."""
        cluster = self._cluster
        return {component: len(cluster.pods(component)) for component in cluster.components}


@contextmanager
def scaling_site(name: str, view: BuildView) -> Iterator[Site]:
    """Open the ways into a cluster; when they close, its numbers of pods are what they were.

    Until then no other command changes the cluster.
    """
    folder = ClusterFolder(repository(), name)
    with alone(folder, view), _site(folder) as site:
        yield site


@contextmanager
def _site(folder: ClusterFolder) -> Iterator[Site]:
    made, engine = read_made(folder.made), find_engine(folder.log)
    tokens = folder.path / "tokens.json"
    if made is None or engine is None:
        raise ClusterError(check_cluster(Condition.NONE, folder.name).text)
    if not tokens.exists():
        raise ClusterError("The cluster has no Holdfast: run `make deploy`.")
    kube = Kube(ensure_tools(("kubectl",))["kubectl"], folder.kubeconfig, folder.log)
    with ExitStack() as opened:
        client = opened.enter_context(client_of(folder.kubeconfig))
        shells = NodeShells(lambda node: _shell(engine, node))
        opened.callback(shells.close)
        where = Component(database.NAMESPACE, "app.kubernetes.io/name=postgresql", "postgresql")
        cluster = Cluster(client, components(NAMESPACE, DAPR, _APP_IDS, where), shells)
        _refuse_live_code(client)
        etcd = [
            opened.enter_context(
                forwarded(kube, DAPR, f"pod/dapr-scheduler-server-{member}", _ETCD_PORT)
            )
            for member in range(_SCHEDULERS)
        ]
        postgres = opened.enter_context(
            forwarded(kube, database.NAMESPACE, f"pod/{_POSTGRESQL}", _PORT)
        )
        password = opened.enter_context(_role(kube))
        counters = Counters(
            f"postgresql://{_ROLE}:{password}@127.0.0.1:{postgres}/holdfast",
            [f"http://127.0.0.1:{port}" for port in etcd],
        )
        opened.callback(counters.close)
        yield Site(
            url=f"http://127.0.0.1:{made.port}",
            token=json.loads(tokens.read_text("utf-8"))["admin"],
            replicas=opened.enter_context(Replicas(client, NAMESPACE, SCALED).held()),
            counters=counters,
            versions=_versions(client, kube),
            nodes=made.nodes,
            _cluster=cluster,
            _shells=shells,
        )


def _refuse_live_code(client: ApiClient) -> None:
    """Refuse what `make skaffold-dev` has left: it looks for changed code all the time."""
    apps: Any = AppsV1Api(client)
    for name in SERVICES:
        found = apps.read_namespaced_deployment(name, NAMESPACE, _request_timeout=_API_SECONDS)
        if any(one.name == name and one.command for one in found.spec.template.spec.containers):
            raise ClusterError(f"{name} is in the form for live development: run `make deploy`.")


def _shell(engine: Engine, node: str) -> Sequence[str]:
    host = ("--host", engine.host) if engine.host else ()
    return (engine.client, *host, "exec", "--interactive", node, "sh")


@contextmanager
def _role(kube: Kube) -> Iterator[str]:
    """Make a role that sees every counter, and have the server time its log, for the block."""
    password = secrets.token_hex(16)
    drop = f"DROP ROLE IF EXISTS {_ROLE}"
    reset = "ALTER SYSTEM RESET track_wal_io_timing"
    made = f"CREATE ROLE {_ROLE} SUPERUSER LOGIN PASSWORD '{password}'"
    _psql(kube, drop, made, "ALTER SYSTEM SET track_wal_io_timing = on", "SELECT pg_reload_conf()")
    try:
        yield password
    finally:
        _psql(kube, reset, "SELECT pg_reload_conf()", drop)


def _psql(kube: Kube, *statements: str) -> None:
    """Run statements as the superuser, who is known in the database's own pod only."""
    kube.run(
        *("exec", "--stdin", "--namespace", database.NAMESPACE, _POSTGRESQL),
        *("--container", "postgresql", "--", *_PSQL, "--host", "/run/postgresql"),
        *("--dbname", "holdfast", "--set", "ON_ERROR_STOP=1", "--quiet"),
        stdin=";\n".join((*statements, "")),
    )


def _versions(client: ApiClient, kube: Kube) -> dict[str, str]:
    version: Any = VersionApi(client).get_code()
    return {"Kubernetes": version.git_version, "Dapr": installed_version(kube) or "?"}
