"""Any cluster with a Holdfast in it, as the chaos suite enters it: found, asked for leave, opened.

Nothing of it is known beforehand but what a small file says. The rest is read off the cluster: the
Deployments by the charts' labels, app-ids by their annotations, Secrets by the references to them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from holdfast_chaos import catalogue
from holdfast_chaos.site import Site
from holdfast_chaos.targets.cluster import API_SECONDS, Cluster
from holdfast_chaos.targets.nodes import NodeShells
from holdfast_cluster.chaos import guard
from holdfast_cluster.chaos.cluster_site import client_of
from holdfast_cluster.chaos.found import find_components, find_deployments, find_reference
from holdfast_cluster.chaos.ledger_access import ledger_access
from holdfast_cluster.chaos.node_pods import NodePods
from holdfast_cluster.chaos.site_file import SiteFile, read_site_file
from holdfast_cluster.chaos.ways import Ways, forwarded, image_of, kubernetes_site
from holdfast_cluster.context import one_context
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.kube import Kube
from holdfast_local.tokens import EveryRole

_ROLES = ("admin", "approver")
_SERVICE_PORT = 80
_APP_TOKEN = "APP_API_TOKEN"  # noqa: S105 - the name of a variable
_DATABASE = "HOLDFAST_DATABASE_URL"
#: Beside the services' own URLs in the Secret that the charts refer to.
_OWNER = "owner-url"


@contextmanager
def any_site(file: Path) -> Iterator[Site]:
    """Open the ways into the cluster that a file names; refuse what does not ask to be hurt."""
    said = read_site_file(file)
    tokens = _tokens(said.tokens)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-chaos-")))
        kube = one_context(said.kubeconfig, said.context, folder, folder / "log")
        client = opened.enter_context(client_of(kube.kubeconfig))
        guard.require(client, [said.namespace, *filter(None, [said.node_pods])])
        deployments = find_deployments(client, said)
        components, withheld = find_components(client, said, deployments)
        bare = Cluster(client, components, None)
        shells = None
        if said.node_pods:
            image = said.node_image or image_of(bare)
            pods = NodePods(client, kube, said.node_pods, image)
            opened.callback(pods.close)
            shells = NodeShells(pods.shell)
            opened.callback(shells.close)
        access = find_reference(deployments[catalogue.WORKER], catalogue.WORKER, _DATABASE)
        ways = Ways(
            client=client,
            kube=kube,
            cluster=Cluster(client, components, shells),
            name=f"pods in {said.namespace}, {said.context or 'the current context'}",
            namespace=said.namespace,
            dapr_namespace=said.dapr_namespace,
            app_token=find_reference(
                deployments[catalogue.ORCHESTRATOR], catalogue.ORCHESTRATOR, _APP_TOKEN
            ),
            database=ledger_access(client, kube, said.namespace, (access[0], _OWNER), folder),
            api=_api(kube, said, tokens, deployments[catalogue.STATUS_API].metadata.name),
            undoable="it needs a shell on the nodes, and the site's file has no node_pods",
            withheld=withheld,
        )
        yield opened.enter_context(kubernetes_site(ways))


def _tokens(file: Path) -> Mapping[str, str]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ClusterError(f"{file}: {error.strerror}: it has the tokens of the API") from error
    except ValueError as error:
        raise ClusterError(f"{file} is no JSON: {error}") from error
    missing = [role for role in _ROLES if not (isinstance(found, dict) and found.get(role))]
    if missing:
        raise ClusterError(
            f"{file} has no token of {', '.join(missing)}: nobody decides an order of their own, "
            "so it takes both. `holdfast secrets --tokens-only --tokens-file FILE` makes them."
        )
    return {role: str(found[role]) for role in _ROLES}


@contextmanager
def _api(
    kube: Kube, said: SiteFile, tokens: Mapping[str, str], service: str
) -> Iterator[httpx.Client]:
    """Give a client of the status API: where the file says it is, or by its Service."""
    with ExitStack() as opened:
        url = said.api
        if not url:
            what = f"service/{service}"
            port = opened.enter_context(forwarded(kube, said.namespace, what, _SERVICE_PORT))
            url = f"http://127.0.0.1:{port}"
        yield opened.enter_context(
            httpx.Client(
                base_url=url, auth=EveryRole(tokens), timeout=API_SECONDS, trust_env=bool(said.api)
            )
        )
