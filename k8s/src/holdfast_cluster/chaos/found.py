"""What is read off a cluster: Deployments, app-ids, Secrets, and what may be struck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubernetes.client import ApiClient, AppsV1Api

from holdfast_chaos import catalogue
from holdfast_chaos.targets.cluster import API_SECONDS, Component
from holdfast_chaos.targets.holdfast import SERVICES, Workload, control_plane, services
from holdfast_cluster.chaos import guard
from holdfast_cluster.chaos.site_file import SiteFile
from holdfast_cluster.errors import ClusterError


def find_deployments(client: ApiClient, said: SiteFile) -> dict[str, Any]:
    """Return the Deployment of each service of the release; raise if there is not exactly one."""
    api: Any = AppsV1Api(client)
    found = {}
    for name in SERVICES:
        selector = f"app.kubernetes.io/name={name}"
        if said.release:
            selector += f",app.kubernetes.io/instance={said.release}"
        listed = api.list_namespaced_deployment(
            said.namespace, label_selector=selector, _request_timeout=API_SECONDS
        ).items
        if len(listed) != 1:
            hint = " Name its Helm release." if listed else ""
            raise ClusterError(
                f"Namespace {said.namespace} has {len(listed)} Deployments with {selector}, "
                f"and not one.{hint}"
            )
        found[name] = listed[0]
    return found


def find_components(
    client: ApiClient, said: SiteFile, deployments: Mapping[str, Any]
) -> tuple[dict[str, Component], dict[str, str]]:
    """Return what may be struck, and why other things may not."""
    found = services(
        said.namespace, {name: _workload(one, name) for name, one in deployments.items()}
    )
    others = [(said.dapr_namespace, control_plane(said.dapr_namespace))]
    if said.database is not None:
        pods = Component(**said.database.model_dump())
        others.append((said.database.namespace, {catalogue.POSTGRES: pods}))
    withheld: dict[str, str] = {}
    for namespace, components in others:
        if guard.allowed(client, namespace):
            found |= components
        else:
            why = f"namespace {namespace} is not labelled for it: {guard.command([namespace])}"
            withheld |= dict.fromkeys(components, why)
    return found, withheld


def _workload(deployment: Any, name: str) -> Workload:
    labels = deployment.spec.selector.match_labels or {}
    annotations = deployment.spec.template.metadata.annotations or {}
    return Workload(
        deployment.metadata.name,
        ",".join(f"{key}={value}" for key, value in labels.items()),
        annotations.get("dapr.io/app-id", name),
    )


def find_reference(deployment: Any, container: str, variable: str) -> tuple[str, str]:
    """Return from which Secret, and which key of it, a container has a variable."""
    for one in deployment.spec.template.spec.containers:
        if one.name == container:
            for set_ in one.env or ():
                source = set_.value_from.secret_key_ref if set_.value_from else None
                if set_.name == variable and source is not None:
                    return source.name, source.key
    raise ClusterError(f"{deployment.metadata.name} has no {variable} from a Secret")
