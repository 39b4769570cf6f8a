"""Where Holdfast's own components are in a cluster, as its charts and Dapr's name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast_chaos import catalogue
from holdfast_chaos.targets.cluster import Component

SIDECAR = "daprd"
SERVICES = (catalogue.ORCHESTRATOR, catalogue.WORKER, catalogue.STATUS_API)
#: Dapr's own, with the names that its chart gives them.
_CONTROL_PLANE = {
    catalogue.SCHEDULER: "dapr-scheduler-server",
    catalogue.PLACEMENT: "dapr-placement-server",
    catalogue.SENTRY: "dapr-sentry",
    catalogue.OPERATOR: "dapr-operator",
    catalogue.INJECTOR: "dapr-sidecar-injector",
}


@dataclass(frozen=True)
class Workload:
    """One of the services in a cluster: its Deployment, how its pods are found, its app-id."""

    deployment: str
    selector: str
    app_id: str


def components(
    namespace: str, dapr_namespace: str, app_ids: Mapping[str, str], database: Component | None
) -> dict[str, Component]:
    """Return the components of a release as the charts name them where nobody wants it otherwise.

    A database outside of the cluster is none of them.
    """
    usual = {
        name: Workload(name, f"app.kubernetes.io/name={name}", app_ids[name]) for name in SERVICES
    }
    found = {**services(namespace, usual), **control_plane(dapr_namespace)}
    return found if database is None else {**found, catalogue.POSTGRES: database}


def services(namespace: str, workloads: Mapping[str, Workload]) -> dict[str, Component]:
    """Return the services of a release, and their sidecars."""
    found = {}
    for name, workload in workloads.items():
        for component, container in ((name, name), (f"{name}-sidecar", SIDECAR)):
            found[component] = Component(
                namespace,
                workload.selector,
                container,
                deployment=workload.deployment,
                sessions=f"{workload.app_id}/" if container == name else None,
            )
    return found


def control_plane(namespace: str) -> dict[str, Component]:
    """Return the parts of Dapr's control plane."""
    return {
        component: Component(namespace, f"app={name}", name)
        for component, name in _CONTROL_PLANE.items()
    }
