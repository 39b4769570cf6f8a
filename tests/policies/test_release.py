"""The release in the cluster: the API server takes every manifest, pods run as they must."""

from __future__ import annotations

import yaml

from tests.charts.conftest import Helm, everything_on, helm, pods_of
from tests.charts.test_pods import violations
from tests.policies.conftest import NAMESPACE, Cluster

__all__ = ["helm"]  # a fixture

#: Kinds of operators that this cluster does not have.
_ABSENT = {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}


def test_api_server_takes_every_manifest(cluster: Cluster, helm: Helm) -> None:
    values = everything_on()
    values["activity-worker"]["kubernetesJobs"] = {"allNamespaces": True}
    # The Service's ports are the release's own; those that are there stay as they are.
    values["status-api"]["service"] = {"type": "NodePort", "nodePort": 30080}
    documents = [one for one in helm.documents("holdfast", values) if one["kind"] not in _ABSENT]

    done = cluster.run(
        "kubectl",
        *("apply", "--dry-run=server", "--force-conflicts", "--server-side", "-f", "-"),
        stdin=yaml.safe_dump_all(documents),
    )

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


def test_every_pod_is_restricted_with_its_sidecar(cluster: Cluster) -> None:
    pods = cluster.get("pods", "-l", "app.kubernetes.io/component=service")["items"]

    assert len(pods) >= 6
    for pod in pods:
        # The injector's own volume, and the sidecar's limits, are as it makes them.
        found = violations(pod)
        assert found == [], pod["metadata"]["name"]
        names = {one["name"] for one in pod["spec"].get("initContainers", ())}
        assert names == {"daprd"}


def test_namespace_enforces_restricted(cluster: Cluster) -> None:
    labels = cluster.get("namespace", NAMESPACE)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_helm_test_passes_and_leaves_no_pod(cluster: Cluster) -> None:
    done = cluster.run("helm", "test", "holdfast")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Succeeded") == 4
    left = cluster.get("pods", "-l", "app.kubernetes.io/component=test")["items"]
    assert left == []


def test_migrations_run_again_with_nothing_to_do(cluster: Cluster) -> None:
    """The hook's Job, as Helm made it, a second time and a third at once."""
    hooks = cluster.run("helm", "get", "hooks", "holdfast").stdout
    jobs = [one for one in yaml.safe_load_all(hooks) if one and one["kind"] == "Job"]
    again = []
    for job in jobs:
        for suffix in ("again-1", "again-2"):
            copy = yaml.safe_load(yaml.safe_dump(job))
            copy["metadata"]["name"] += f"-{suffix}"
            copy["metadata"]["annotations"] = {}
            again.append(copy)
    manifest = yaml.safe_dump_all(again)
    assert pods_of(again)
    try:
        cluster.kubectl("apply", "-f", "-", stdin=manifest)
        for job in again:
            name = f"job/{job['metadata']['name']}"
            cluster.kubectl("wait", "--for=condition=complete", name, "--timeout=120s")
    finally:
        cluster.run("kubectl", "delete", "--ignore-not-found", "-f", "-", stdin=manifest)
