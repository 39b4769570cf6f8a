"""The metrics server, which autoscaling asks: its own manifests, with an image that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_FILES = ("rbac.yaml", "service.yaml", "deployment.yaml", "apiservice.yaml")
_LABELS = {"k8s-app": "metrics-server"}


def metrics_manifest(module: Path, image: str) -> str:
    """Return the metrics server's manifest, labelled as its own kustomization does."""
    base = module / "manifests" / "base"
    documents: list[dict[str, Any]] = []
    for name in _FILES:
        documents += [one for one in yaml.safe_load_all((base / name).read_text("utf-8")) if one]
    for document in documents:
        _label(document["metadata"])
        if document["kind"] == "Service":
            document["spec"]["selector"] = _LABELS
        if document["kind"] == "Deployment":
            spec = document["spec"]
            spec["selector"] = {"matchLabels": _LABELS}
            _label(spec["template"].setdefault("metadata", {}))
            container = spec["template"]["spec"]["containers"][0]
            container["image"] = image
            # kubelets of a kind cluster sign their own certificates.
            container["args"].append("--kubelet-insecure-tls")
            container["resources"]["requests"] = {"cpu": "20m", "memory": "64Mi"}
    return yaml.safe_dump_all(documents, sort_keys=False)


def _label(metadata: dict[str, Any]) -> None:
    metadata["labels"] = {**metadata.get("labels", {}), **_LABELS}
