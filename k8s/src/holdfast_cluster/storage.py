"""Volumes: the provisioner's own manifest, with the images that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

#: As kind's own class is called, so that manifests fit both ways to a cluster.
CLASS = "standard"
#: Below /var, which is a volume of each node: a file system without layers.
_FOLDER = "/var/local-path-provisioner"


def storage_manifest(module: Path, provisioner: str, helper: str) -> str:
    """Return the manifest of the default storage class, from the provisioner's module.

    The helper is any image with a shell: it makes and removes the volumes' folders.
    """
    text = (module / "deploy" / "local-path-storage.yaml").read_text("utf-8")
    documents = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        _adapt(document, provisioner, helper)
    return yaml.safe_dump_all(documents, sort_keys=False)


def _adapt(document: dict[str, Any], provisioner: str, helper: str) -> None:
    match document["kind"]:
        case "Deployment":
            pod = document["spec"]["template"]["spec"]
            container = pod["containers"][0]
            container["image"] = provisioner
            container["command"][0] = "/local-path-provisioner"
            # A cluster whose workers are all drained can still make a volume.
            pod["tolerations"] = [
                {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
            ]
        case "StorageClass":
            document["metadata"]["name"] = CLASS
            document["metadata"]["annotations"] = {
                "storageclass.kubernetes.io/is-default-class": "true"
            }
        case "ConfigMap":
            data = document["data"]
            data["config.json"] = data["config.json"].replace(
                "/opt/local-path-provisioner", _FOLDER
            )
            data["helperPod.yaml"] = data["helperPod.yaml"].replace(
                "image: busybox", f"image: {helper}"
            )
