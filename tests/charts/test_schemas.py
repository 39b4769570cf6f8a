"""Values that are right are taken, and those that are wrong are refused with their name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.conftest import SERVICES, Helm, everything_on

#: By chart: values, and what the refusal must name.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *((name, {"replica": 3}, "replica") for name in (*SERVICES, "holdfast")),
    *((name, {"dapr": {"loglevel": "info"}}, "loglevel") for name in SERVICES),
    *(
        (name, {"global": {"holdfast": {"secret": {}}}}, "secret")
        for name in (*SERVICES, "holdfast")
    ),
    ("orchestrator", {"replicas": "two"}, "replicas"),
    ("orchestrator", {"replicas": -1}, "replicas"),
    ("orchestrator", {"dapr": {"logLevel": "loud"}}, "logLevel"),
    ("orchestrator", {"dapr": {"metrics": {"port": 99999}}}, "port"),
    ("orchestrator", {"dapr": {"resources": {"limits": {"gpu": "1"}}}}, "gpu"),
    ("orchestrator", {"dapr": {"actorsDisseminateTimeout": "soon"}}, "actorsDisseminateTimeout"),
    ("orchestrator", {"securityContext": {"runAsUser": 0}}, "runAsUser"),
    ("orchestrator", {"securityContext": {"privileged": True}}, "privileged"),
    ("orchestrator", {"port": 80}, "port"),
    ("orchestrator", {"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    ("orchestrator", {"image": {"digest": "sha256:abc"}}, "digest"),
    ("orchestrator", {"livenessProbe": {"path": "/readyz"}}, "path"),
    ("orchestrator", {"fullnameOverride": "Not_A_Name"}, "fullnameOverride"),
    ("orchestrator", {"turnThreads": 0}, "turnThreads"),
    ("orchestrator", {"activityThreads": 8}, "activityThreads"),
    ("activity-worker", {"activityThreads": 513}, "activityThreads"),
    ("activity-worker", {"jobHosts": ["https://jobs.example/x"]}, "jobHosts"),
    ("activity-worker", {"jobHosts": "jobs.example"}, "jobHosts"),
    ("activity-worker", {"webhookUrl": "hooks.example"}, "webhookUrl"),
    ("status-api", {"auth": {"oidc": {"roles": {"staff": "root"}}}}, "staff"),
    ("status-api", {"auth": {"readRate": "many"}}, "readRate"),
    ("status-api", {"service": {"type": "ExternalName"}}, "type"),
    ("status-api", {"retentionDays": -1}, "retentionDays"),
    ("holdfast", {"orchestator": {"replicas": 3}}, "orchestator"),
    ("holdfast", {"status-api": {"dapr": {"image": 7}}}, "image"),
    ("holdfast", {"global": {"holdfast": {"appIds": {"orchestrator": "a.b"}}}}, "orchestrator"),
    (
        "holdfast",
        {"global": {"holdfast": {"network": {"database": {"peers": []}}}}},
        "peers",
    ),
    (
        "holdfast",
        {"global": {"holdfast": {"dapr": {"workflow": {"activityLimits": [{"name": "x"}]}}}}},
        "maxConcurrent",
    ),
    (
        "holdfast",
        {"global": {"holdfast": {"dapr": {"workflow": {"retention": {"anyTerminal": "30d"}}}}}},
        "anyTerminal",
    ),
]
#: What only a template can know: one line that says what to do.
CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    (
        "orchestrator",
        {
            "autoscaling": {"enabled": True},
            "keda": {"enabled": True, "prometheusAddress": "http://p"},
        },
        "exclude each other",
    ),
    ("orchestrator", {"keda": {"enabled": True}}, "keda.prometheusAddress"),
    (
        "orchestrator",
        {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}},
        "minReplicas",
    ),
    ("status-api", {"global": {"holdfast": {"secrets": {"apiTokens": ""}}}}, "holdfast secrets"),
    ("status-api", {"auth": {"oidc": {"issuer": "https://id.example"}}}, "audience"),
    ("status-api", {"ingress": {"enabled": True}}, "ingress.hosts"),
]
TAKEN: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in (*SERVICES, "holdfast")),
    ("holdfast", everything_on()),
    # Others' globals are no business of ours.
    ("holdfast", {"global": {"someOtherChart": {"key": 1}}}),
    (
        "orchestrator",
        {"podLabels": {"team": "platform"}, "extraEnv": [{"name": "A", "value": "b"}]},
    ),
    ("orchestrator", {"rollingUpdate": {"maxUnavailable": "25%"}}),
    ("orchestrator", {"podDisruptionBudget": {"maxUnavailable": "50%"}}),
    ("activity-worker", {"resources": {"limits": {"memory": "1Gi", "cpu": 2}}}),
    (
        "status-api",
        {
            "global": {"holdfast": {"secrets": {"apiTokens": ""}}},
            "auth": {"oidc": {"issuer": "https://id.example", "audience": "holdfast"}},
        },
    ),
]


@pytest.mark.parametrize(("chart", "values", "name"), REFUSED)
def test_wrong_value_is_refused_by_its_name(
    helm: Helm, chart: str, values: dict[str, Any], name: str
) -> None:
    done = helm.template(chart, values)

    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert name in done.stderr


@pytest.mark.parametrize(("chart", "values", "words"), CONTRADICTIONS)
def test_contradiction_is_explained(
    helm: Helm, chart: str, values: dict[str, Any], words: str
) -> None:
    done = helm.template(chart, values)

    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize(("chart", "values"), TAKEN)
def test_right_value_is_taken(helm: Helm, chart: str, values: dict[str, Any]) -> None:
    done = helm.template(chart, values)

    assert done.returncode == 0, done.stderr
