"""The cluster that `make cluster deploy` made, as the chaos suite enters it.

This clone made it to be hurt, so no namespace of it needs a label that says so.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

from holdfast_chaos.site import Site
from holdfast_chaos.targets.cluster import Cluster, Component
from holdfast_chaos.targets.holdfast import SERVICES, components
from holdfast_chaos.targets.nodes import NodeShells
from holdfast_cluster import database
from holdfast_cluster.chaos.ways import API_SECONDS, Ways, forwarded, kubernetes_site
from holdfast_cluster.checks import check_cluster
from holdfast_cluster.dapr import NAMESPACE as DAPR
from holdfast_cluster.engine import Engine, find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.nodes import Condition, Made, read_made
from holdfast_cluster.release import NAMESPACE
from holdfast_local.folders import repository
from holdfast_local.tokens import EveryRole
from holdfast_local.toolchain import ensure_tools

_APP_IDS = {name: name for name in SERVICES}
_POSTGRESQL = "postgresql-0"
_PORT = 5432
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
        client = opened.enter_context(client_of(folder.kubeconfig))
        shells = NodeShells(lambda node: _shell(engine, node))
        opened.callback(shells.close)
        postgres = Component(database.NAMESPACE, "app.kubernetes.io/name=postgresql", "postgresql")
        ways = Ways(
            client=client,
            kube=kube,
            cluster=Cluster(client, components(NAMESPACE, DAPR, _APP_IDS, postgres), shells),
            name=f"pods on kind ({len(made.nodes)} nodes)",
            namespace=NAMESPACE,
            dapr_namespace=DAPR,
            app_token=("holdfast-app-token", "token"),
            database=_database(kube),
            api=_api(made, tokens),
            nodes=made.nodes,
        )
        yield opened.enter_context(kubernetes_site(ways))


@contextmanager
def client_of(kubeconfig: Path) -> Iterator[ApiClient]:
    """Give a client of the cluster that a kubeconfig's current context names."""
    client = new_client_from_config(config_file=str(kubeconfig))
    try:
        yield client
    finally:
        client.close()


def _shell(engine: Engine, node: str) -> Sequence[str]:
    host = ("--host", engine.host) if engine.host else ()
    return (engine.client, *host, "exec", "--interactive", node, "sh")


def _api(made: Made, tokens: Path) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{made.port}",
        auth=EveryRole(json.loads(tokens.read_text("utf-8"))),
        timeout=API_SECONDS,
        trust_env=False,
    )


@contextmanager
def _database(kube: Kube) -> Iterator[str]:
    """Make the harness's role for as long as the block lasts; give the URL of the database."""
    password = secrets.token_hex(16)
    made = f"CREATE ROLE {_ROLE} SUPERUSER LOGIN PASSWORD '{password}'"
    with forwarded(kube, database.NAMESPACE, f"pod/{_POSTGRESQL}", _PORT) as port:
        _psql(kube, f"DROP ROLE IF EXISTS {_ROLE}; {made}")
        try:
            yield f"postgresql://{_ROLE}:{password}@127.0.0.1:{port}/holdfast"
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
