"""Where Holdfast's own components are in a cluster, as its charts and Dapr's name them."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast_chaos import catalogue
from holdfast_chaos.targets.cluster import Component

SIDECAR = "daprd"


def components(
    namespace: str, dapr_namespace: str, app_ids: Mapping[str, str], database: Component | None
) -> dict[str, Component]:
    """Return the components of a release; a database outside of the cluster is none of them."""

    def service(name: str, container: str) -> Component:
        return Component(
            namespace,
            f"app.kubernetes.io/name={name}",
            container,
            deployment=name,
            sessions=f"{app_ids[name]}/" if container == name else None,
        )

    def part(name: str, container: str) -> Component:
        return Component(dapr_namespace, f"app={name}", container)

    services = (catalogue.ORCHESTRATOR, catalogue.WORKER, catalogue.STATUS_API)
    found = {name: service(name, name) for name in services}
    found |= {f"{name}-sidecar": service(name, SIDECAR) for name in services}
    found |= {
        catalogue.SCHEDULER: part("dapr-scheduler-server", "dapr-scheduler-server"),
        catalogue.PLACEMENT: part("dapr-placement-server", "dapr-placement-server"),
        catalogue.SENTRY: part("dapr-sentry", "dapr-sentry"),
        catalogue.OPERATOR: part("dapr-operator", "dapr-operator"),
        catalogue.INJECTOR: part("dapr-sidecar-injector", "dapr-sidecar-injector"),
    }
    return found if database is None else {**found, catalogue.POSTGRES: database}
