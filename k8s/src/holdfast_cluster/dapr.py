"""Dapr's control plane in the cluster, from the chart in Dapr's own pinned module."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from holdfast_cluster.errors import ClusterError, CommandError
from holdfast_cluster.explain import explain_helm
from holdfast_cluster.folders import manifests
from holdfast_cluster.kube import Kube
from holdfast_local.build_view import BuildView

NAMESPACE = "dapr-system"
RELEASE = "dapr"
#: The oldest control plane that the services work with: it has the policies that they rely on.
OLDEST = (1, 18, 0)
#: Where each image's name goes in the chart's values.
_VALUES = {
    "daprd": "dapr_sidecar_injector.image.name",
    "injector": "dapr_sidecar_injector.injectorImage.name",
    "operator": "dapr_operator.image.name",
    "placement": "dapr_placement.image.name",
    "scheduler": "dapr_scheduler.image.name",
    "sentry": "dapr_sentry.image.name",
}


def parse_version(text: str) -> tuple[int, ...] | None:
    """Return a version's numbers, or None for a text such as ``edge``."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else None


def installed_version(kube: Kube) -> str | None:
    """Return the version of the control plane that the cluster has, or None where it has none."""
    found = kube.get("deployment", "dapr-operator", "--namespace", NAMESPACE)
    if found is None:
        return None
    labels = found["metadata"].get("labels", {})
    image = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return str(labels.get("app.kubernetes.io/version") or image.rpartition(":")[2])


@dataclass(frozen=True)
class Dapr:
    """One version of Dapr, with its module's files, for one cluster."""

    version: str
    module: Path
    helm: Path
    kube: Kube

    @property
    def chart(self) -> Path:
        """The chart's folder."""
        return self.module / "charts" / "dapr"

    def install(self, images: dict[str, str], mirror: str, view: BuildView) -> None:
        """Bring the control plane to this version; Helm leaves older CRDs, so those go first."""
        crds = "\n---\n".join(
            file.read_text("utf-8") for file in sorted((self.chart / "crds").glob("*.yaml"))
        )
        self.kube.apply(crds)
        self._free_release()
        settings = [f"{_VALUES[name]}={reference}" for name, reference in images.items()]
        settings += [f"global.tag={self.version}"]
        if mirror:
            settings += [f"global.registry={mirror}/dapr"]
        command: tuple[str | Path, ...] = (
            *(self.helm, "upgrade", "--install", RELEASE, self.chart, "--skip-crds"),
            *("--namespace", NAMESPACE, "--values", manifests() / "dapr-values.yaml"),
            *(part for one in settings for part in ("--set-string", one)),
            *("--wait", "--timeout", "10m", "--history-max", "5"),
        )
        with view:
            try:
                self.kube.runner.watch(command, view, f"Dapr {self.version}: installing")
            except CommandError as error:
                raise ClusterError(explain_helm(error.output, "Dapr", self.kube.log)) from error
            view.end(f"Dapr {self.version} is ready")

    def crds_are_older(self) -> list[str]:
        """Return the names of the CRDs that the cluster lacks or has without what ours have."""
        return [
            file.stem
            for file in sorted((self.chart / "crds").glob("*.yaml"))
            if self._differs(file)
        ]

    def _differs(self, file: Path) -> bool:
        try:
            self.kube.run("diff", "--server-side", "--force-conflicts", "--filename", str(file))
        except CommandError:
            return True
        return False

    def _free_release(self) -> None:
        """Undo what an interrupted Helm has left pending, or it refuses for ever."""
        command = (self.helm, "list", "--namespace", NAMESPACE, "--pending", "--output", "json")
        for release in json.loads(self.kube.runner.run(command)):
            if release["name"] != RELEASE:
                continue
            if int(release["revision"]) > 1:
                undo = (self.helm, "rollback", RELEASE, "--namespace", NAMESPACE, "--wait=false")
            else:
                undo = (self.helm, "uninstall", RELEASE, "--namespace", NAMESPACE, "--wait")
            self.kube.runner.run(undo)
