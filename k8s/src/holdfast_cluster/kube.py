"""Speak to a cluster with kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast_cluster.commands import Runner
from holdfast_cluster.errors import CommandError


@dataclass(frozen=True)
class Kube:
    """A cluster, as its kubeconfig names it."""

    kubectl: Path
    kubeconfig: Path
    log: Path

    @property
    def runner(self) -> Runner:
        """Runs programs that speak to this cluster and to no other."""
        return Runner(self.log, {"KUBECONFIG": str(self.kubeconfig)})

    def run(
        self,
        *arguments: str,
        stdin: str | None = None,
        seconds: float = 120,
        secret: bool = False,
    ) -> str:
        """Run a kubectl command and return what it prints; if that is secret, no log has it."""
        return self.runner.run(
            (self.kubectl, *arguments),
            stdin=stdin,
            seconds=seconds,
            what=f"kubectl {arguments[0]}",
            secret=secret,
        )

    def apply(self, manifest: str, *, seconds: float = 120) -> None:
        """Bring the cluster to what a manifest says; doing so again changes nothing."""
        self.run(
            *("apply", "--server-side", "--force-conflicts", "--field-manager", "holdfast"),
            *("--filename", "-"),
            stdin=manifest,
            seconds=seconds,
        )

    def get(self, *what: str) -> dict[str, Any] | None:
        """Return an object or a list, or None where there is none of that name."""
        secret = what[0].partition("/")[0] in {"secret", "secrets"}
        try:
            found: dict[str, Any] = json.loads(
                self.run("get", *what, "--output", "json", secret=secret)
            )
        except CommandError as error:
            if "(NotFound)" in error.output or "doesn't have a resource type" in error.output:
                return None
            raise
        return found

    def wait_for_definitions(self, names: Iterable[str], seconds: int = 60) -> None:
        """Return when the API server serves what these CRDs define."""
        crds = [f"customresourcedefinitions.apiextensions.k8s.io/{name}" for name in names]
        self.run(
            *("wait", "--for=condition=Established", *crds, f"--timeout={seconds}s"),
            seconds=seconds + 10,
        )

    def wait_for_nodes(self, seconds: int = 180) -> None:
        """Return when every node is ready."""
        self.run(
            *("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={seconds}s"),
            seconds=seconds + 10,
        )

    def wait_for_rollout(self, namespace: str, name: str, seconds: int = 300) -> None:
        """Return when a Deployment or StatefulSet runs as it should."""
        self.run(
            *("rollout", "status", "--namespace", namespace, name, f"--timeout={seconds}s"),
            seconds=seconds + 10,
        )
