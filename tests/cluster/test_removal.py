"""What an uninstall leaves, and what an install afterwards finds."""

from __future__ import annotations

import httpx
import pytest
from rich.console import Console

from holdfast_cluster.release import Release
from holdfast_local.build_view import BuildView
from tests.cluster.conftest import NAMESPACE, RELEASE, Cluster
from tests.support.clone import ROOT
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

#: Made by Kubernetes itself, or by `holdfast secrets`: they are not the release's.
NOT_OURS = {
    "events",
    "events.events.k8s.io",
    "pods.metrics.k8s.io",
    "bindings",
    "localsubjectaccessreviews.authorization.k8s.io",
}


def test_uninstall_leaves_nothing_and_an_install_goes_on_where_it_was(
    cluster: Cluster, api: httpx.Client
) -> None:
    before = start(api, "task_chain", 1)
    wait_for_end(api, before)
    waiting = start(api, "request_escalation", {"amount": 5000})
    tag = cluster.image("orchestrator").rpartition(":")[2]

    cluster.run_helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    eventually("nothing is left", lambda: not left(cluster), seconds=120)

    release = Release(ROOT, cluster.folder, cluster.helm, cluster.kube)
    release.install(tag, BuildView(Console(stderr=True)))
    assert wait_for_end(api, before)["output"] == [2, 4, 16]
    answer = api.post(f"/runs/{waiting}/events/human_approval", json={"approved": True, "by": "x"})
    assert answer.status_code == 202, answer.text
    assert wait_for_end(api, waiting)["output"]["verdict"] == "approved"


def left(cluster: Cluster) -> list[str]:
    """What carries the release's name, of every kind there is in the namespace."""
    kinds = cluster.kube.run("api-resources", "--namespaced", "--verbs=list", "--output=name")
    wanted = sorted(set(kinds.split()) - NOT_OURS)
    found = cluster.kube.run(
        *("get", ",".join(wanted), "--namespace", NAMESPACE, "--output", "name"),
        *("--selector", f"app.kubernetes.io/instance={RELEASE}"),
        seconds=300,
    )
    return found.split()
