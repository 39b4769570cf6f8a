"""A cluster whose images are pulled, from a mirror of the official registries on loopback.

No official image can be had where there is no registry, so the mirror has this clone's own under
their names. What is tried is the way: names, addresses, the nodes' trust, the chart's settings.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast_cluster.errors import CommandError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.services import SERVICES, content_tag, image_name
from tests.cluster.commands import run
from tests.cluster.conftest import NAMESPACE, Cluster
from tests.cluster.mirror.registry import Mirror, running_mirror
from tests.support.clone import ROOT
from tests.support.postgres import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

PULLED = "holdfast-pulled"


@pytest.fixture(scope="module")
def mirror(cluster: Cluster) -> Iterator[Mirror]:
    with running_mirror(cluster.engine) as mirror:
        yield mirror


@pytest.fixture(scope="module")
def pulled(cluster: Cluster, mirror: Mirror) -> Iterator[Kube]:
    """A second cluster, made of what the mirror has, with a Holdfast in it."""
    folder = ClusterFolder(ROOT, PULLED)
    wishes = ("--name", PULLED, "--port", str(free_port()), "--registry", mirror.host)
    try:
        for command in ("up", "deploy"):
            done = run(*wishes, command, seconds=900)
            assert done.returncode == 0, done.stdout + done.stderr
        yield Kube(cluster.kube.kubectl, folder.kubeconfig, folder.log)
    finally:
        assert run("--name", PULLED, "down").returncode == 0
        holdfast = [sys.executable, "-m", "holdfast_cli", "context", "remove", f"kind-{PULLED}"]
        subprocess.run(holdfast, check=False, capture_output=True)
        # They start from the mirror's base: nobody has another use for them.
        tag = content_tag(ROOT, mirror.names.python)
        for service in SERVICES:
            with suppress(CommandError):
                cluster.engine.docker("image", "rm", f"{image_name(service)}:{tag}")


def images(kube: Kube, namespace: str) -> set[str]:
    """The images of all containers that run there, as the nodes name what they pulled."""
    pods = json.loads(kube.run("get", "pods", "--namespace", namespace, "--output", "json"))
    return {
        status["imageID"]
        for pod in pods["items"]
        for status in (
            *pod["status"].get("containerStatuses", ()),
            *pod["status"].get("initContainerStatuses", ()),
        )
    }


def test_every_image_but_the_services_own_comes_from_the_mirror(
    pulled: Kube, mirror: Mirror
) -> None:
    programs = ("injector", "operator", "placement", "scheduler", "sentry")
    found = images(pulled, "dapr-system")
    assert {image.partition("@")[0] for image in found} == {
        f"{mirror.host}/dapr/{name}" for name in programs
    }
    [database] = images(pulled, "holdfast-data")
    assert database.startswith(f"{mirror.host}/library/postgres@sha256:")
    metrics = [image for image in images(pulled, "kube-system") if "metrics-server" in image]
    assert metrics
    assert all(
        one.startswith(f"{mirror.host}/metrics-server/metrics-server@sha256:") for one in metrics
    )
    sidecars = {image for image in images(pulled, NAMESPACE) if "/dapr/" in image}
    assert {image.partition("@")[0] for image in sidecars} == {f"{mirror.host}/dapr/daprd"}


def test_nodes_and_the_services_base_are_the_mirrors(
    cluster: Cluster, pulled: Kube, mirror: Mirror
) -> None:
    nodes = cluster.engine.containers(f"label=io.x-k8s.kind.cluster={PULLED}")
    assert len(nodes) == 3
    made_of = {
        cluster.engine.docker("inspect", "--format", "{{.Config.Image}}", node).strip()
        for node in nodes
    }
    assert made_of == {mirror.node}
    history = cluster.engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    assert mirror.names.python in history.split()


def test_release_works_there(cluster: Cluster, pulled: Kube) -> None:
    helm = Path(cluster.helm)
    said = pulled.runner.run(
        (helm, "test", "holdfast", "--namespace", NAMESPACE, "--timeout", "5m"), seconds=400
    )
    assert "Succeeded" in said
    assert "Failed" not in said
