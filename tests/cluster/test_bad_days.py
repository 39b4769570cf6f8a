"""What goes wrong with clusters: one clear line with the way out, and a second try that works."""

from __future__ import annotations

import copy
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.release import Release
from holdfast_local.build_view import BuildView
from tests.cluster.commands import command, refusal, run
from tests.cluster.conftest import Cluster
from tests.support.clone import ROOT
from tests.support.http_server import Answer, running_site
from tests.support.postgres import free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

#: A second cluster, which never gets far.
OTHER = "holdfast-other"
DEFINITION = "resiliencies.dapr.io"


@pytest.fixture
def nodes_of_the_other(cluster: Cluster) -> Iterator[str]:
    """The filter for the other cluster's nodes; whatever a test leaves of it is removed."""
    yield f"label=io.x-k8s.kind.cluster={OTHER}"
    assert run("--name", OTHER, "down").returncode == 0
    folder = ClusterFolder(ROOT, OTHER)
    assert not folder.made.exists()
    assert not folder.kubeconfig.exists()


def test_deploy_without_a_cluster_says_how_to_make_one(nodes_of_the_other: str) -> None:
    assert "`make cluster` makes it" in refusal(run("--name", OTHER, "deploy"))


def test_port_that_is_taken_is_refused_before_anything_is_made(
    cluster: Cluster, nodes_of_the_other: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(run("--name", OTHER, "--port", str(port), "up"))
    assert f"{port}" in line
    assert "PORT=" in line
    assert cluster.engine.containers(nodes_of_the_other) == []


def test_registry_that_does_not_answer_is_named(nodes_of_the_other: str) -> None:
    line = refusal(run("--name", OTHER, "--registry", "127.0.0.1:1", "up"))
    assert "127.0.0.1:1" in line
    assert "IMAGES=built" in line


def test_registry_that_only_this_machine_can_reach_is_refused_before_anything_is_made(
    cluster: Cluster, nodes_of_the_other: str
) -> None:
    with running_site() as site:
        site.answers = [Answer(headers={"Docker-Distribution-Api-Version": "registry/2.0"})]
        line = refusal(
            run("--name", OTHER, "--port", str(free_port()), "--registry", site.host, "up")
        )
    assert f"The nodes cannot reach {site.host}" in line
    assert "docker run --publish" in line
    assert cluster.engine.containers(nodes_of_the_other) == []


def test_cluster_that_is_half_made_is_told_and_removed(
    cluster: Cluster, nodes_of_the_other: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    making = subprocess.Popen(
        command("--name", OTHER, "--port", port, "up"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with making:
        try:
            eventually(
                "a node is there", lambda: cluster.engine.containers(nodes_of_the_other), seconds=90
            )
        finally:
            making.send_signal(signal.SIGINT)
        _, said = making.communicate(timeout=120)
    assert making.returncode == 130
    assert "run the same command again" in said
    assert "Traceback" not in said
    if cluster.engine.containers(nodes_of_the_other):  # kind may have removed them itself
        told = run("--name", OTHER, "--port", port, "doctor")
        assert told.returncode == 1
        assert "half made" in told.stdout
    assert run("--name", OTHER, "down").returncode == 0
    assert cluster.engine.containers(nodes_of_the_other) == []


def test_definitions_of_an_older_dapr_are_named_and_brought_up_to_date(cluster: Cluster) -> None:
    name = cluster.folder.name
    now = cluster.kube.get("customresourcedefinitions.apiextensions.k8s.io", DEFINITION)
    assert now is not None
    cluster.kube.run("replace", "--filename", "-", stdin=json.dumps(older(now)))

    told = run("--name", name, "--port", port_of(cluster), "doctor")
    assert told.returncode == 1
    assert DEFINITION in told.stdout
    assert "`make cluster` brings them up to date" in told.stdout

    assert run("--name", name, "--port", port_of(cluster), "up").returncode == 0
    told = run("--name", name, "--port", port_of(cluster), "doctor")
    assert told.returncode == 0, told.stdout


def port_of(cluster: Cluster) -> str:
    return cluster.url.rpartition(":")[2]


def older(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition without a part of its schema, as an older one would be."""
    changed = copy.deepcopy(definition)
    for version in changed["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        del spec["properties"]["policies"]["properties"]["circuitBreakers"]
    return changed


@pytest.mark.parametrize("end", ["failed", "pending-upgrade"])
def test_upgrade_that_ended_badly_leaves_nothing_once_the_next_is_done(
    cluster: Cluster, tmp_path: Path, end: str
) -> None:
    tag = cluster.image("orchestrator").rpartition(":")[2]
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps({"orchestrator": {"command": ["sleep", "infinity"]}}))
    upgrading = subprocess.Popen(
        [
            *(cluster.helm, "upgrade", "holdfast", ROOT / "charts" / "holdfast"),
            *("--reuse-values", "--values", values, "--namespace", "holdfast"),
            *("--kubeconfig", cluster.folder.kubeconfig),
            *("--wait", "--timeout", "45s" if end == "failed" else "5m"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with upgrading:
        if end != "failed":
            eventually("it has changed something", lambda: commands(cluster), seconds=120)
            upgrading.kill()
        assert upgrading.wait(timeout=180) != 0
    history = json.loads(cluster.run_helm("history", "holdfast", "--output", "json"))
    assert history[-1]["status"] == end
    assert commands(cluster) == [["sleep", "infinity"]]

    Release(ROOT, cluster.folder, cluster.helm, cluster.kube).install(
        tag, BuildView(Console(stderr=True))
    )
    assert commands(cluster) == []
    history = json.loads(cluster.run_helm("history", "holdfast", "--output", "json"))
    assert history[-1]["status"] == "deployed"


def commands(cluster: Cluster) -> list[list[str]]:
    """The commands that containers of the orchestrator have in place of their images'."""
    deployment = cluster.kube.get("deployment", "orchestrator", "--namespace", "holdfast")
    assert deployment is not None
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return [one["command"] for one in containers if "command" in one]


def test_value_with_a_typo_is_refused_by_name(cluster: Cluster) -> None:
    done = subprocess.run(
        [
            *(cluster.helm, "upgrade", "holdfast", ROOT / "charts" / "holdfast", "--dry-run"),
            *("--reuse-values", "--set", "status-api.replica=3", "--namespace", "holdfast"),
            *("--kubeconfig", cluster.folder.kubeconfig),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "replica" in done.stderr
