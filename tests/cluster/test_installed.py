"""What an install is: ready, tested by Helm, taken by the API server, and as strict as it says."""

from __future__ import annotations

import httpx
import pytest
import yaml

from holdfast_cluster.services import SERVICES
from tests.charts.conftest import Helm, everything_on, helm, pods_of
from tests.charts.test_pods import violations
from tests.cluster.conftest import NAMESPACE, RELEASE, Cluster

__all__ = ["helm"]  # a fixture

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

#: Kinds of operators that this cluster does not have.
_ABSENT = {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}


def test_helms_own_test_passes_and_leaves_no_pod(cluster: Cluster) -> None:
    printed = cluster.run_helm("test", RELEASE, "--timeout", "5m")
    phases = [line.split()[-1] for line in printed.splitlines() if line.startswith("Phase:")]

    assert phases == ["Succeeded"] * 4
    assert cluster.items("pods", "--selector", "app.kubernetes.io/component=test") == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_pod_is_ready_and_restricted_with_its_sidecar(cluster: Cluster, service: str) -> None:
    pods = cluster.pods(service)

    assert len(pods) == 2
    for pod in pods:
        # The injector's own volume, and the sidecar's limits, are as it makes them.
        assert violations(pod) == [], pod["metadata"]["name"]
        status = pod["status"]
        containers = [*status["containerStatuses"], *status["initContainerStatuses"]]
        assert {one["name"]: one["ready"] for one in containers} == {service: True, "daprd": True}


def test_the_api_server_takes_every_manifest_without_a_warning(
    cluster: Cluster, helm: Helm
) -> None:
    values = everything_on()
    values["activity-worker"]["kubernetesJobs"] = {"allNamespaces": True}
    # The Service's ports are the release's own; those that are there stay as they are.
    values["status-api"]["service"] = {"type": "NodePort", "nodePort": 30080}
    documents = [one for one in helm.documents("holdfast", values) if one["kind"] not in _ABSENT]

    cluster.kube.run(
        *("apply", "--dry-run=server", "--warnings-as-errors", "--namespace", NAMESPACE),
        *("--server-side", "--force-conflicts", "--filename", "-"),
        stdin=yaml.safe_dump_all(documents),
    )


def test_migrations_run_again_with_nothing_to_do(cluster: Cluster) -> None:
    """The hook's Job, as Helm made it, a second time and a third at once."""
    hooks = cluster.run_helm("get", "hooks", RELEASE)
    jobs = [one for one in yaml.safe_load_all(hooks) if one and one["kind"] == "Job"]
    again = []
    for job in jobs:
        for suffix in ("again-1", "again-2"):
            copy = yaml.safe_load(yaml.safe_dump(job))
            copy["metadata"]["name"] += f"-{suffix}"
            copy["metadata"]["annotations"] = {}
            again.append(copy)
    assert pods_of(again)

    with cluster.applied(again):
        for job in again:
            cluster.kube.run(
                *("wait", "--for=condition=complete", f"job/{job['metadata']['name']}"),
                *("--namespace", NAMESPACE, "--timeout=110s"),
            )


def test_the_public_api_asks_for_a_token(cluster: Cluster) -> None:
    with httpx.Client(base_url=cluster.url, trust_env=False, timeout=10) as nobody:
        assert nobody.get("/runs").status_code == httpx.codes.UNAUTHORIZED
        assert nobody.get("/healthz").status_code == httpx.codes.OK
