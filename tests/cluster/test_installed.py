"""What an install is: ready, tested by Helm, and as strict as it says."""

from __future__ import annotations

import os
import subprocess

import httpx
import pytest

from holdfast_cluster.errors import CommandError
from tests.cluster.conftest import NAMESPACE, RELEASE, Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def test_helms_own_test_passes(cluster: Cluster) -> None:
    printed = cluster.run_helm("test", RELEASE, "--timeout", "5m")
    phases = [line.split()[-1] for line in printed.splitlines() if line.startswith("Phase:")]
    assert phases == ["Succeeded"] * 4


def test_every_pod_has_its_sidecar_and_is_ready(cluster: Cluster) -> None:
    for service in ("orchestrator", "activity-worker", "status-api"):
        pods = cluster.items("pods", "--selector", f"app.kubernetes.io/name={service}")
        running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
        assert len(running) == 2, service
        for pod in running:
            ready = {one["name"]: one["ready"] for one in pod["status"]["containerStatuses"]}
            sidecars = pod["status"].get("initContainerStatuses", [])
            ready |= {one["name"]: one["ready"] for one in sidecars if one["name"] == "daprd"}
            assert ready == {service: True, "daprd": True}


def test_pod_security_refuses_what_is_not_restricted(cluster: Cluster) -> None:
    with pytest.raises(CommandError) as refused:
        cluster.kube.run(
            *("run", "intruder", "--namespace", NAMESPACE, "--image", "intruder"),
            *("--privileged", "--dry-run=server", "--restart", "Never"),
        )
    assert "violates PodSecurity" in refused.value.output


def test_the_server_takes_every_manifest_of_the_release_without_a_warning(
    cluster: Cluster,
) -> None:
    manifest = cluster.run_helm("get", "manifest", RELEASE)
    done = subprocess.run(
        [
            *(cluster.kube.kubectl, "apply", "--dry-run=server", "--namespace", NAMESPACE),
            *("--server-side", "--force-conflicts", "--filename", "-"),
        ],
        input=manifest,
        env={**os.environ, "KUBECONFIG": str(cluster.folder.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_the_public_api_asks_for_a_token(cluster: Cluster) -> None:
    with httpx.Client(base_url=cluster.url, trust_env=False, timeout=10) as nobody:
        assert nobody.get("/runs").status_code == httpx.codes.UNAUTHORIZED
        assert nobody.get("/healthz").status_code == httpx.codes.OK
