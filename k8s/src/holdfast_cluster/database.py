"""PostgreSQL for development in the cluster, with the roles of ``components``."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

import yaml

from holdfast_cluster.folders import manifests
from holdfast_cluster.kube import Kube
from holdfast_local.folders import repository

NAMESPACE = "holdfast-data"
SECRET = "postgresql-passwords"  # noqa: S105 - the name of a Secret
#: The keys of its passwords.
ROLES = ("owner", "worker", "status", "dapr")
_PASSWORD_BYTES = 24


def database_manifest(image: str, text: str, roles: str) -> str:
    """Return the database's manifest with its image and the roles' script in it.

    The pods carry a checksum of their configuration: they are made anew when it changes.
    """
    documents: list[dict[str, Any]] = [one for one in yaml.safe_load_all(text) if one]
    configuration = next(one for one in documents if one["kind"] == "ConfigMap")
    configuration["data"]["roles.sql"] = roles
    checksum = hashlib.sha256(yaml.safe_dump(configuration).encode()).hexdigest()[:16]
    server = next(one for one in documents if one["kind"] == "StatefulSet")
    pod = server["spec"]["template"]
    pod["metadata"]["annotations"] = {"holdfast.dev/configuration": checksum}
    pod["spec"]["containers"][0]["image"] = image
    return yaml.safe_dump_all(documents, sort_keys=False)


def install(kube: Kube, image: str) -> None:
    """Bring the database to what this clone says, with fresh passwords if it has none."""
    if kube.get("secret", SECRET, "--namespace", NAMESPACE) is None:
        kube.apply(_fresh_passwords())
    text = (manifests() / "postgresql.yaml").read_text("utf-8")
    roles = (repository() / "components" / "postgresql" / "roles.sql").read_text("utf-8")
    kube.apply(database_manifest(image, text, roles))
    kube.wait_for_rollout(NAMESPACE, "statefulset/postgresql")


def _fresh_passwords() -> str:
    fresh = {role: secrets.token_urlsafe(_PASSWORD_BYTES) for role in ROLES}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": NAMESPACE},
            "type": "Opaque",
            "data": {
                role: base64.b64encode(text.encode()).decode() for role, text in fresh.items()
            },
        }
    )
