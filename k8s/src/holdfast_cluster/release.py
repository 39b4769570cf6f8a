"""Holdfast's own charts in the cluster, with the Secrets that they refer to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from holdfast_cluster import database
from holdfast_cluster.commands import last_line
from holdfast_cluster.errors import ClusterError, CommandError
from holdfast_cluster.explain import explain_helm
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.revisions import settle
from holdfast_cluster.services import SERVICES
from holdfast_local.build_view import BuildView

NAMESPACE = "holdfast"
RELEASE = "holdfast"
#: Made together by `holdfast secrets`; where one is there, all are.
_SECRET = "holdfast-database"  # noqa: S105 - the name of a Secret
_NODE_PORT = 30080


@dataclass(frozen=True)
class Release:
    """The charts of a clone, and the cluster that they go to."""

    root: Path
    folder: ClusterFolder
    helm: Path
    kube: Kube

    @property
    def tokens(self) -> Path:
        """The API's tokens, one for each role; only their owner can read the file."""
        return self.folder.path / "tokens.json"

    def ensure_secrets(self) -> None:
        """Make the Secrets that the charts refer to, unless they are there."""
        there = self.kube.get("secret", _SECRET, "--namespace", NAMESPACE) is not None
        if there and self.tokens.exists():
            return
        command = ["secrets", "--namespace", NAMESPACE, "--force"]
        command += ["--tokens-file", str(self.tokens)]
        passwords = None
        if there:  # the file is gone, and no token can be read from the cluster
            command.append("--tokens-only")
        else:
            namespace = ("--namespace", database.NAMESPACE)
            passwords = self.kube.get("secret", database.SECRET, *namespace)
            if passwords is None:
                raise ClusterError("The cluster has no PostgreSQL: `make cluster` installs it.")
            command += ["--passwords", "-"]
        self.kube.apply(self._holdfast(command, json.dumps(passwords)))

    def install(self, tag: str, view: BuildView) -> None:
        """Bring the release to this clone's charts and these images, and wait until it is ready."""
        charts = self.root / "charts"
        with view:
            view.begin("Charts: putting together", "")
            for name in (*SERVICES, "holdfast"):
                self.kube.runner.run(
                    (self.helm, "dependency", "build", "--skip-refresh", charts / name),
                    what="helm dependency build",
                )
            settle(self.helm, self.kube, RELEASE, NAMESPACE)
            command = (
                *(self.helm, "upgrade", "--install", RELEASE, charts / "holdfast"),
                *("--namespace", NAMESPACE, "--wait", "--wait-for-jobs", "--timeout", "5m"),
                *("--values", self.root / "k8s" / "holdfast-values.yaml"),
                *("--set-string", f"global.holdfast.imageTag={tag}", "--history-max", "5"),
            )
            try:
                self.kube.runner.watch(command, view, "Holdfast: installing")
            except CommandError as error:
                raise ClusterError(explain_helm(error.output, "Holdfast", self.kube.log)) from error
            view.end("Holdfast is ready")

    def add_context(self, name: str, port: int) -> None:
        """Let the CLI know of the cluster's status API, with the token of its administrator."""
        token = json.loads(self.tokens.read_text("utf-8"))["admin"]
        api = f"http://127.0.0.1:{port}"
        self._holdfast(["context", "add", name, api, "--token-stdin", "--force"], token)

    def _holdfast(self, arguments: list[str], stdin: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast_cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=dict(os.environ),
            check=False,
        )
        if done.returncode != 0:
            said = last_line(done.stderr or done.stdout)
            raise ClusterError(f"holdfast {arguments[0]} failed: {said}")
        return done.stdout
