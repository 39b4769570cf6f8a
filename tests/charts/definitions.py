"""JSON Schemas of everything that the charts make, from the projects' own definitions.

Kubernetes' come from the OpenAPI document in its Go module, custom resources' from the CRDs in
theirs: as pinned in `tools/`, written into the cache, and none of it into the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from holdfast_local.cache import cache_folder
from holdfast_local.toolchain import toolchain_of
from holdfast_local.toolchain_sources import DAPR, KEDA, KUBERNETES, PROMETHEUS_OPERATOR, Source

#: Where kubeconform looks for a kind, in its own words.
TEMPLATE = "{{.Group}}-{{.ResourceAPIVersion}}-{{.ResourceKind}}.json"
_CRDS = (
    (DAPR, "charts/dapr/crds"),
    (KEDA, "config/crd/bases"),
    (PROMETHEUS_OPERATOR, "example/prometheus-operator-crd"),
)
#: The groups whose objects the charts make.
_GROUPS = (
    "api__v1",
    "apis__apps__v1",
    "apis__autoscaling__v2",
    "apis__batch__v1",
    "apis__networking.k8s.io__v1",
    "apis__policy__v1",
    "apis__rbac.authorization.k8s.io__v1",
)
_FORM = 2


class _Loader(yaml.SafeLoader):
    """Reads `=` as text, as all but PyYAML do."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def folder() -> Path:
    """Return where the schemas are, made on the first call."""
    sources = (KUBERNETES, *(source for source, _ in _CRDS))
    versions = [toolchain_of(source).version for source in sources]
    target = cache_folder() / "schemas" / "-".join([str(_FORM), *versions])
    done = target / "complete"
    if not done.exists():
        target.mkdir(parents=True, exist_ok=True)
        for name, schema in (*_kubernetes(), *_custom()):
            (target / name).write_text(json.dumps(schema), "utf-8")
        done.touch()
    return target


def _module(source: Source) -> Path:
    return toolchain_of(source).module_folder()


def _name(group: str, version: str, kind: str) -> str:
    # kubeconform takes the version for the group of what has none.
    return f"{group or version}-{version}-{kind.lower()}.json"


def _kubernetes() -> Iterator[tuple[str, dict[str, Any]]]:
    specifications = _module(KUBERNETES) / "api" / "openapi-spec" / "v3"
    for group in _GROUPS:
        document = json.loads((specifications / f"{group}_openapi.json").read_text("utf-8"))
        schemas = {name: strict(one) for name, one in document["components"]["schemas"].items()}
        for name, schema in schemas.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                if kind["kind"].endswith(("List", "Options", "Status")):
                    continue
                whole = {
                    "$ref": f"#/components/schemas/{name}",
                    "components": {"schemas": schemas},
                }
                yield _name(kind["group"], kind["version"], kind["kind"]), whole


def _custom() -> Iterator[tuple[str, dict[str, Any]]]:
    for source, below in _CRDS:
        for path in sorted((_module(source) / below).glob("*.yaml")):
            for crd in yaml.load_all(path.read_text("utf-8"), _Loader):
                if not crd or crd.get("kind") != "CustomResourceDefinition":
                    continue
                for version in crd["spec"]["versions"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    # The API server defines it for every kind.
                    schema["properties"]["metadata"] = {"type": "object"}
                    group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
                    yield _name(group, version["name"], kind), schema


def strict(schema: Any) -> Any:
    """Return the schema with what Kubernetes does, too: keys that are unknown are refused."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    properties = result.get("properties")
    is_schema = isinstance(properties, dict) and result.get("type", "object") == "object"
    if is_schema and "additionalProperties" not in result:
        result["additionalProperties"] = bool(result.get("x-kubernetes-preserve-unknown-fields"))
    if result.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return result
