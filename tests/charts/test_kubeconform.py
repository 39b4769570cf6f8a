"""Everything that the charts make is what Kubernetes, Dapr, KEDA and the operator define."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from tests.charts import definitions
from tests.charts.conftest import CHARTS, SERVICES, Document, Helm, everything_on, find, tool

KUBERNETES = "1.34.4"


def conform(documents: list[Document]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(tool("kubeconform"), "-strict", "-summary", "-kubernetes-version", KUBERNETES),
            *("-schema-location", f"{definitions.folder()}/{definitions.TEMPLATE}"),
        ],
        input=yaml.safe_dump_all(documents),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("chart", CHARTS)
def test_defaults_conform(helm: Helm, chart: str) -> None:
    done = conform(helm.documents(chart))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped: 0" in done.stdout


def test_everything_conforms(helm: Helm) -> None:
    documents = helm.documents("holdfast", everything_on())
    done = conform(documents)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped: 0" in done.stdout
    assert {one["kind"] for one in documents} == {
        *("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"),
        *("HorizontalPodAutoscaler", "ScaledObject", "ServiceMonitor", "PodMonitor"),
        *("PrometheusRule", "Role", "RoleBinding", "Job", "Pod", "Ingress", "ConfigMap"),
        *("Component", "Configuration", "Resiliency", "WorkflowAccessPolicy"),
    }


@pytest.mark.parametrize("chart", SERVICES)
def test_old_way_of_sidecars_conforms(helm: Helm, chart: str) -> None:
    assert conform(helm.documents(chart, {"dapr": {"nativeSidecar": False}})).returncode == 0


@pytest.mark.parametrize(
    ("kind", "name", "break_it"),
    [
        ("Deployment", "status-api", lambda one: one["spec"].update(replica=2)),
        (
            "Deployment",
            "orchestrator",
            lambda one: one["spec"]["template"]["spec"]["containers"][0].pop("name"),
        ),
        ("Configuration", "holdfast", lambda one: one["spec"].update(workflows={})),
        ("WorkflowAccessPolicy", "activities-from-orchestrator", lambda one: one.update(scope=[])),
        ("ScaledObject", "status-api", lambda one: one["spec"].pop("scaleTargetRef")),
        ("ServiceMonitor", "status-api", lambda one: one["spec"].update(endpoint=[])),
    ],
)
def test_what_does_not_conform_is_found(helm: Helm, kind: str, name: str, break_it: Any) -> None:
    one = find(helm.documents("holdfast", everything_on()), kind, name)
    break_it(one)

    done = conform([one])

    assert done.returncode != 0
    assert "Invalid: 1" in done.stdout
