"""The charts, with their dependencies built in a copy, and what Helm makes of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast_local import toolchain
from tests.support.clone import ROOT

SERVICES = ("orchestrator", "activity-worker", "status-api")
CHARTS = (*SERVICES, "holdfast")

Document = dict[str, Any]


@cache
def tool(name: str) -> str:
    return str(toolchain.ensure_tools([name])[name])


@dataclass(frozen=True)
class Helm:
    """Helm on a copy of the charts; the repository's own folder stays as it is."""

    charts: Path
    program: str = "helm"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool(self.program), *arguments],
            cwd=self.charts,
            env={**os.environ, "HELM_CACHE_HOME": str(self.charts / ".cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    def template(
        self,
        chart: str,
        values: Mapping[str, Any] | None = None,
        *options: str,
        namespace: str = "holdfast",
    ) -> subprocess.CompletedProcess[str]:
        given = yaml.safe_dump(dict(values or {}))
        return subprocess.run(
            [
                *(tool(self.program), "template", chart, chart, "--namespace", namespace),
                *("--values", "-", *options),
            ],
            cwd=self.charts,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def documents(
        self,
        chart: str,
        values: Mapping[str, Any] | None = None,
        *options: str,
        namespace: str = "holdfast",
    ) -> list[Document]:
        done = self.template(chart, values, *options, namespace=namespace)
        assert done.returncode == 0, done.stderr
        return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    copy = tmp_path_factory.mktemp("helm") / "charts"
    # Links become the files that they name, as in a package.
    shutil.copytree(ROOT / "charts", copy, ignore=shutil.ignore_patterns("*.tgz", "Chart.lock"))
    found = Helm(copy)
    for chart in CHARTS:
        done = found.run("dependency", "update", "--skip-refresh", chart)
        assert done.returncode == 0, done.stderr
    return found


Find = Callable[..., Document]


def find(documents: list[Document], kind: str, name: str) -> Document:
    """Return the one object of that kind and name."""
    [one] = [one for one in documents if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return one


def pods_of(documents: list[Document]) -> dict[str, Document]:
    """Return the pods that the objects make, by kind and name: metadata and spec."""
    found: dict[str, Document] = {}
    for one in documents:
        if one["kind"] in {"Deployment", "Job", "StatefulSet"}:
            found[f"{one['kind']}/{one['metadata']['name']}"] = one["spec"]["template"]
        elif one["kind"] == "Pod":
            found[f"Pod/{one['metadata']['name']}"] = one
    return found


def everything_on() -> dict[str, Any]:
    """Return values of the umbrella that switch on all that can be switched on together."""
    each: dict[str, Any] = {
        "keda": {"enabled": True, "prometheusAddress": "http://prometheus.monitoring:9090"},
        "metrics": {
            "serviceMonitor": {"enabled": True},
            "podMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True, "runbookBaseUrl": "https://docs.example"},
        },
    }
    return {
        "global": {
            "imageRegistry": "registry.example",
            "imagePullSecrets": ["pull"],
            "holdfast": {
                "secrets": {"databaseCa": "holdfast-database-ca"},
                "tracing": {"endpoint": "https://collector.observability:4318"},
                "dapr": {
                    "workflow": {
                        "globalMaxConcurrentActivities": 500,
                        "activityLimits": [{"name": "process_work_item", "maxConcurrent": 64}],
                        "retention": {"completed": "24h"},
                    }
                },
            },
        },
        "dashboards": {"enabled": True},
        "orchestrator": {**each, "keda": {"enabled": False}, "autoscaling": {"enabled": True}},
        "activity-worker": {
            **each,
            "jobHosts": ["jobs.example:8443", "other.example"],
            "webhookUrl": "https://hooks.example/holdfast",
            "kubernetesJobs": {"namespaces": ["batch"]},
        },
        "status-api": {
            **each,
            "auth": {"oidc": {"issuer": "https://id.example", "audience": "holdfast"}},
            "webhooks": {"egress": True},
            "ingress": {"enabled": True, "hosts": ["holdfast.example"]},
        },
    }
