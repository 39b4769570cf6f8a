"""The cluster that `make cluster deploy` made, as its users see it: API, Helm, kubectl."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from holdfast_cluster.engine import Engine, find_engine
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.nodes import read_made
from holdfast_local.tokens import EveryRole
from holdfast_local.toolchain import ensure_tools
from tests.support.clone import ROOT

NAMESPACE = "holdfast"
RELEASE = "holdfast"


@dataclass(frozen=True)
class Cluster:
    """A cluster with a Holdfast in it."""

    folder: ClusterFolder
    kube: Kube
    helm: Path
    engine: Engine
    nodes: tuple[str, ...]
    url: str

    def run_helm(self, *arguments: str, seconds: float = 600) -> str:
        """Run Helm and return what it prints; fail the test if it fails."""
        done = subprocess.run(
            [self.helm, *arguments, "--namespace", NAMESPACE],
            env={**os.environ, "KUBECONFIG": str(self.folder.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def items(self, kind: str, *options: str, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
        """Return all objects of a kind that a selection names."""
        listed = self.kube.get(kind, "--namespace", namespace, *options)
        return [] if listed is None else list(listed["items"])

    @contextmanager
    def applied(self, documents: list[dict[str, Any]]) -> Iterator[None]:
        """Have objects in our namespace for a while."""
        manifest = yaml.safe_dump_all(documents)
        options = ("--namespace", NAMESPACE, "--filename", "-")
        try:
            self.kube.run("apply", *options, stdin=manifest)
            yield
        finally:
            self.kube.run("delete", "--ignore-not-found", *options, stdin=manifest)

    def rows(self, query: str) -> list[list[str]]:
        """Ask the database, in its own pod."""
        answer = self.kube.run(
            *("exec", "--namespace", "holdfast-data", "postgresql-0", "--container", "postgresql"),
            *("--", "/usr/lib/postgresql/15/bin/psql", "--no-psqlrc", "--username", "postgres"),
            *("--host", "/run/postgresql", "--dbname", "holdfast", "--csv", "--tuples-only"),
            *("--command", query),
        )
        return [line.split(",") for line in answer.splitlines() if line]

    def pods(self, service: str) -> list[dict[str, Any]]:
        """Return the pods of a service that run and are not on their way out."""
        selector = f"app.kubernetes.io/name={service},app.kubernetes.io/component=service"
        return [
            pod
            for pod in self.items("pods", "--selector", selector)
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
        ]

    def image(self, service: str) -> str:
        """Return the image that a service's pods are made of."""
        deployment = self.kube.get("deployment", service, "--namespace", NAMESPACE)
        assert deployment is not None, f"there is no {service}"
        images = {
            container["name"]: str(container["image"])
            for container in deployment["spec"]["template"]["spec"]["containers"]
        }
        return images[service]

    def python(self, deployment: str, program: str) -> Any:
        """Run a program in a pod of a service, in its own Python; return what it prints as JSON."""
        printed = self.kube.run(
            *("exec", "--stdin", "--namespace", NAMESPACE, f"deployment/{deployment}"),
            *("--container", deployment, "--", "python", "-"),
            stdin=program,
        )
        return json.loads(printed.splitlines()[-1])

    def tokens(self) -> dict[str, str]:
        """Return the API's tokens, one for each role."""
        tokens: dict[str, str] = json.loads((self.folder.path / "tokens.json").read_text())
        return tokens


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    folder = ClusterFolder(ROOT, os.environ.get("CLUSTER") or "holdfast")
    made = read_made(folder.made)
    if made is None or not folder.kubeconfig.exists():
        pytest.fail("there is no cluster: run `make cluster deploy` first", pytrace=False)
    engine = find_engine(folder.log)
    if engine is None:
        pytest.fail("no Docker engine answers: run `make doctor`", pytrace=False)
    tools = ensure_tools(("kubectl", "helm"))
    return Cluster(
        folder=folder,
        kube=Kube(tools["kubectl"], folder.kubeconfig, folder.log),
        helm=tools["helm"],
        engine=engine,
        nodes=made.nodes,
        url=f"http://127.0.0.1:{made.port}",
    )


@pytest.fixture
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    """A client of the public API; the approver decides, the admin does all else."""
    with httpx.Client(
        base_url=cluster.url, auth=EveryRole(cluster.tokens()), timeout=30, trust_env=False
    ) as client:
        yield client
