"""Dapr's control plane in the cluster, from the chart in Dapr's own pinned module."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from holdfast_cluster.errors import ClusterError, CommandError
from holdfast_cluster.explain import explain_helm
from holdfast_cluster.folders import manifests
from holdfast_cluster.kube import Kube
from holdfast_cluster.revisions import settle
from holdfast_cluster.trust import BUNDLE, chart_values
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


def installed_version(kube: Kube, namespace: str = NAMESPACE) -> str | None:
    """Return the version of the control plane that the cluster has, or None where it has none."""
    found = kube.get("deployment", "dapr-operator", "--namespace", namespace)
    if found is None:
        return None
    labels = found["metadata"].get("labels", {})
    image = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return str(labels.get("app.kubernetes.io/version") or image.rpartition(":")[2])


def older_crds(kube: Kube, module: Path) -> list[str]:
    """Return the names of the CRDs that a cluster lacks, or has without a field of ours."""
    found = kube.get("customresourcedefinitions.apiextensions.k8s.io") or {"items": []}
    there = {one["metadata"]["name"]: one for one in found["items"]}
    return older_definitions(_definitions(module), there)


def _chart(module: Path) -> Path:
    return module / "charts" / "dapr"


def _definitions(module: Path) -> list[dict[str, Any]]:
    """Return the chart's CRDs, as the operator leaves them.

    One names its namespace only once the operator has patched it: applied as it is, it would
    lead nowhere until the operator's next start.
    """
    documents: list[dict[str, Any]] = []
    for file in sorted((_chart(module) / "crds").glob("*.yaml")):
        text = file.read_text("utf-8").replace("namespace: replaceme", f"namespace: {NAMESPACE}")
        documents += [one for one in yaml.safe_load_all(text) if one]
    return documents


def older_definitions(
    ours: Iterable[dict[str, Any]], theirs: Mapping[str, dict[str, Any]]
) -> list[str]:
    """Return the names of our CRDs that are missing there, or lack a version or a field."""
    older = []
    for definition in ours:
        name = definition["metadata"]["name"]
        if name not in theirs or _fields(definition) - _fields(theirs[name]):
            older.append(name)
    return older


def _fields(definition: dict[str, Any]) -> set[str]:
    """Return the path of every field that a CRD defines, in each of its versions."""
    fields: set[str] = set()
    for version in definition["spec"]["versions"]:
        _collect(version.get("schema", {}).get("openAPIV3Schema", {}), version["name"], fields)
    return fields


def _collect(schema: dict[str, Any], path: str, fields: set[str]) -> None:
    fields.add(path)
    for name, below in schema.get("properties", {}).items():
        _collect(below, f"{path}.{name}", fields)
    if isinstance(schema.get("items"), dict):
        _collect(schema["items"], f"{path}[]", fields)


@dataclass(frozen=True)
class Dapr:
    """One version of Dapr, with its module's files, for one cluster."""

    version: str
    module: Path
    helm: Path
    kube: Kube

    def install(self, images: dict[str, str], mirror: str, view: BuildView) -> None:
        """Bring the control plane to this version; Helm leaves older CRDs, so those go first."""
        definitions = _definitions(self.module)
        self.kube.apply(yaml.safe_dump_all(definitions, sort_keys=False))
        # Whoever starts before they are served ends, and is started again later and later.
        self.kube.wait_for_definitions(one["metadata"]["name"] for one in definitions)
        settle(self.helm, self.kube, RELEASE, NAMESPACE)
        settings = [f"{_VALUES[name]}={reference}" for name, reference in images.items()]
        settings += [f"global.tag={self.version}"]
        if mirror:
            settings += [f"global.registry={mirror}/dapr"]
        command: tuple[str | Path, ...] = (
            *(self.helm, "upgrade", "--install", RELEASE, _chart(self.module), "--skip-crds"),
            *("--namespace", NAMESPACE, "--values", manifests() / "dapr-values.yaml"),
            *(part for one in settings for part in ("--set-string", one)),
            *("--wait", "--timeout", "10m", "--history-max", "5"),
        )
        bundle = self.kube.get("secret", BUNDLE, "--namespace", NAMESPACE)
        with view, tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as trust:
            yaml.safe_dump(chart_values(bundle, NAMESPACE), trust)
            trust.flush()
            command = (*command, "--values", trust.name)
            try:
                self.kube.runner.watch(command, view, f"Dapr {self.version}: installing")
            except CommandError as error:
                raise ClusterError(explain_helm(error.output, "Dapr", self.kube.log)) from error
            view.end(f"Dapr {self.version} is ready")
