"""Manifests of others' modules get our images; our own are what Pod Security asks for."""

from __future__ import annotations

from pathlib import Path

import yaml

from holdfast_cluster.database import ROLES, database_manifest
from holdfast_cluster.folders import manifests
from holdfast_cluster.metrics import metrics_manifest
from holdfast_cluster.storage import CLASS, storage_manifest
from tests.support.clone import ROOT

ROLES_SQL = (ROOT / "components" / "postgresql" / "roles.sql").read_text()


def test_database_is_of_the_image_and_carries_the_roles_of_components() -> None:
    text = (manifests() / "postgresql.yaml").read_text()
    made = {
        one["kind"]: one for one in yaml.safe_load_all(database_manifest("i:1", text, ROLES_SQL))
    }
    pod = made["StatefulSet"]["spec"]["template"]
    container = pod["spec"]["containers"][0]

    assert made["ConfigMap"]["data"]["roles.sql"] == ROLES_SQL
    assert container["image"] == "i:1"
    assert "synchronous_commit = on" in made["ConfigMap"]["data"]["postgresql.conf"]
    keys = [
        one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"] if "valueFrom" in one
    ]
    assert sorted(keys) == sorted(ROLES)
    for role in ROLES:
        assert f"HOLDFAST_{role.upper()}_PASSWORD" in ROLES_SQL


def test_database_is_made_anew_when_its_roles_change_and_only_then() -> None:
    text = (manifests() / "postgresql.yaml").read_text()

    same = database_manifest("i:1", text, ROLES_SQL)
    assert same == database_manifest("i:1", text, ROLES_SQL)
    assert _checksum(same) != _checksum(database_manifest("i:1", text, ROLES_SQL + "-- more\n"))


def _checksum(manifest: str) -> str:
    server = next(one for one in yaml.safe_load_all(manifest) if one["kind"] == "StatefulSet")
    found = server["spec"]["template"]["metadata"]["annotations"]["holdfast.dev/configuration"]
    assert isinstance(found, str)
    return found


def test_namespaces_of_the_apps_and_the_database_enforce_restricted() -> None:
    documents = yaml.safe_load_all((manifests() / "namespaces.yaml").read_text())
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in documents}

    for name in ("holdfast", "holdfast-data"):
        assert labels[name]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_sidecar_injector_insists_in_the_apps_namespace() -> None:
    values = yaml.safe_load((manifests() / "dapr-values.yaml").read_text())
    injector = values["dapr_sidecar_injector"]
    documents = yaml.safe_load_all((manifests() / "namespaces.yaml").read_text())
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in documents}

    assert injector["webhookFailurePolicy"] == "Fail"
    assert injector["sidecarDropALLCapabilities"] is True
    selected = injector["namespaceSelector"]["matchLabels"].items()
    assert selected <= labels["holdfast"].items()
    assert not selected <= labels["dapr-system"].items()


STORAGE = """
kind: StorageClass
metadata: {name: local-path}
---
kind: Deployment
spec:
  template:
    spec:
      containers: [{image: rancher/x, command: [local-path-provisioner, start]}]
---
kind: ConfigMap
data:
  config.json: '{"paths": ["/opt/local-path-provisioner"]}'
  helperPod.yaml: "image: busybox"
"""


def test_storage_is_the_default_class_and_of_our_images(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "local-path-storage.yaml").write_text(STORAGE)
    text = storage_manifest(tmp_path, "ours:1", "helper:1")
    made = {one["kind"]: one for one in yaml.safe_load_all(text)}

    assert made["StorageClass"]["metadata"]["name"] == CLASS
    container = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container == {"image": "ours:1", "command": ["/local-path-provisioner", "start"]}
    assert made["ConfigMap"]["data"]["helperPod.yaml"] == "image: helper:1"
    assert "/var/local-path-provisioner" in made["ConfigMap"]["data"]["config.json"]


def test_metrics_server_is_labelled_alike_everywhere(tmp_path: Path) -> None:
    base = tmp_path / "manifests" / "base"
    base.mkdir(parents=True)
    (base / "rbac.yaml").write_text("kind: ServiceAccount\nmetadata: {name: metrics-server}\n")
    (base / "service.yaml").write_text("kind: Service\nmetadata: {name: m}\nspec: {ports: []}\n")
    (base / "apiservice.yaml").write_text("kind: APIService\nmetadata: {name: v1}\n")
    (base / "deployment.yaml").write_text(
        "kind: Deployment\nmetadata: {name: m}\nspec:\n  template:\n    spec:\n"
        "      containers: [{image: x, args: [--a], resources: {requests: {cpu: 1}}}]\n"
    )
    made = {one["kind"]: one for one in yaml.safe_load_all(metrics_manifest(tmp_path, "ours:1"))}
    spec = made["Deployment"]["spec"]

    assert spec["template"]["spec"]["containers"][0]["image"] == "ours:1"
    assert spec["selector"]["matchLabels"] == made["Service"]["spec"]["selector"]
    assert spec["template"]["metadata"]["labels"] == spec["selector"]["matchLabels"]
