"""The Dapr resources of `components/`, turned into what a sidecar without a cluster needs.

The files are written for Kubernetes. What differs here: app-ids are the stack's own, secrets are
in the file itself (which only the owner can read), rules that need mTLS identities are left out,
because local sidecars have none, and so are the bounds for a flood of runs and for their age, which
one machine that is watched does not need: retention leaves a reminder for each run that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from holdfast_local import files

#: Without mTLS a WorkflowAccessPolicy denies every call.
_NEEDS_MTLS = {"WorkflowAccessPolicy"}
#: Parts of the Configuration that local sidecars do without.
_FOR_CLUSTERS = ("accessControl", "workflow")


def render(
    source: Path,
    target: Path,
    *,
    configuration: Path,
    app_ids: Mapping[str, str],
    secrets: Mapping[tuple[str, str], str],
) -> None:
    """Write every resource of ``source`` that works without a cluster, for these app-ids.

    ``secrets`` gives the value for each (secret's name, key) that the resources refer to.
    """
    for path in sorted(source.glob("*.yaml")):
        for resource in yaml.safe_load_all(path.read_text()):
            if resource["kind"] in _NEEDS_MTLS:
                continue
            is_configuration = resource["kind"] == "Configuration"
            files.write(
                configuration if is_configuration else target / path.name,
                yaml.safe_dump(localized(resource, app_ids, secrets), sort_keys=False),
            )


def localized(
    resource: dict[str, Any],
    app_ids: Mapping[str, str],
    secrets: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Give the resource as one local stack needs it; the argument stays as it is."""
    result = {**resource, "spec": dict(resource["spec"])}
    spec = result["spec"]
    for name in _FOR_CLUSTERS:
        spec.pop(name, None)
    if "scopes" in resource:
        result["scopes"] = [app_ids[scope] for scope in resource["scopes"]]
    if resource["kind"] == "Component":
        spec["metadata"] = [_with_secret(item, secrets) for item in spec["metadata"]]
    if resource["kind"] == "Resiliency" and "apps" in spec["targets"]:
        apps = {app_ids[name]: target for name, target in spec["targets"]["apps"].items()}
        spec["targets"] = {**spec["targets"], "apps": apps}
    return result


def _with_secret(item: dict[str, Any], secrets: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    reference = item.get("secretKeyRef")
    if reference is None:
        return item
    return {"name": item["name"], "value": secrets[reference["name"], reference["key"]]}
