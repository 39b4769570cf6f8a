"""What Dapr is told: by annotations, and by the resources that the local stack has, too."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from holdfast_local.toolchain import toolchain_of
from holdfast_local.toolchain_sources import DAPR
from tests.charts.conftest import SERVICES, Helm, find
from tests.support.clone import ROOT

#: A value for each annotation, and what it must come to.
TYPED: list[tuple[dict[str, Any], str, str]] = [
    ({"image": "registry.example/daprd:1"}, "sidecar-image", "registry.example/daprd:1"),
    ({"nativeSidecar": True}, "enable-native-sidecar", "true"),
    ({"nativeSidecar": False}, "block-shutdown-duration", "40s"),
    ({"gracefulShutdownSeconds": 7}, "graceful-shutdown-seconds", "7"),
    ({"logLevel": "debug"}, "log-level", "debug"),
    ({"logAsJson": False}, "log-as-json", "false"),
    ({"apiLogging": True}, "enable-api-logging", "true"),
    ({"metrics": {"enabled": False}}, "enable-metrics", "false"),
    ({"metrics": {"port": 9191}}, "metrics-port", "9191"),
    ({"resources": {"requests": {"cpu": "1"}}}, "sidecar-cpu-request", "1"),
    ({"resources": {"limits": {"cpu": "2"}}}, "sidecar-cpu-limit", "2"),
    ({"resources": {"requests": {"memory": "1Gi"}}}, "sidecar-memory-request", "1Gi"),
    ({"resources": {"limits": {"memory": "2Gi"}}}, "sidecar-memory-limit", "2Gi"),
    ({"seccompProfileType": "Localhost"}, "sidecar-seccomp-profile-type", "Localhost"),
    *(
        ({f"{kind}Probe": {key: 9}}, f"sidecar-{kind}-probe-{word}", "9")
        for kind in ("liveness", "readiness")
        for key, word in (
            ("initialDelaySeconds", "delay-seconds"),
            ("timeoutSeconds", "timeout-seconds"),
            ("periodSeconds", "period-seconds"),
            ("failureThreshold", "threshold"),
        )
    ),
    ({"grpcPort": 50101}, "grpc-port", "50101"),
    ({"internalGrpcPort": 50102}, "internal-grpc-port", "50102"),
    ({"listenAddresses": "127.0.0.1"}, "sidecar-listen-addresses", "127.0.0.1"),
    ({"appProtocol": "h2c"}, "app-protocol", "h2c"),
    ({"appMaxConcurrency": 40}, "app-max-concurrency", "40"),
    ({"appChannelAddress": "10.0.0.1"}, "app-channel-address", "10.0.0.1"),
    ({"appHealthCheck": {"enabled": True}}, "enable-app-health-check", "true"),
    ({"appHealthCheck": {"enabled": True, "path": "/x"}}, "app-health-check-path", "/x"),
    ({"appHealthCheck": {"enabled": True, "intervalSeconds": 9}}, "app-health-probe-interval", "9"),
    (
        {"appHealthCheck": {"enabled": True, "timeoutMilliseconds": 9}},
        "app-health-probe-timeout",
        "9",
    ),
    ({"appHealthCheck": {"enabled": True, "failureThreshold": 9}}, "app-health-threshold", "9"),
    ({"maxBodySize": "8Mi"}, "max-body-size", "8Mi"),
    ({"readBufferSize": "16Ki"}, "read-buffer-size", "16Ki"),
    (
        {"disableBuiltinKubernetesSecretStore": False},
        "disable-builtin-k8s-secret-store",
        "false",
    ),
    ({"env": {"B": 2, "A": "x"}}, "env", "A=x,B=2"),
    ({"envFromSecret": {"A": {"name": "s", "key": "k"}}}, "env-from-secret", "A=s:k"),
    ({"serviceAnnotations": {"a/b": "c"}}, "sidecar-svc-annotations", "a/b=c"),
    ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, "volume-mounts", "v:/v"),
    ({"volumeMountsReadWrite": [{"name": "v", "mountPath": "/v"}]}, "volume-mounts-rw", "v:/v"),
    ({"unixDomainSocketPath": "/run/dapr"}, "unix-domain-socket-path", "/run/dapr"),
    ({"placementHostAddress": "p:50005"}, "placement-host-address", "p:50005"),
    ({"schedulerHostAddress": "s:50006"}, "scheduler-host-address", "s:50006"),
    ({"actorsDisseminateTimeout": "8s"}, "actors-disseminate-timeout", "8s"),
    ({"disableInitEndpoints": ["a", "b"]}, "disable-init-endpoints", "a,b"),
    ({"sentryRequestJwtAudiences": ["a", "b"]}, "sentry-request-jwt-audiences", "a,b"),
    ({"profiling": True}, "enable-profiling", "true"),
    ({"debug": {"enabled": True}}, "enable-debug", "true"),
    ({"debug": {"enabled": True, "port": 40001}}, "debug-port", "40001"),
    ({"pluggableComponents": {"containers": ["c"]}}, "pluggable-components", "c"),
    (
        {"pluggableComponents": {"socketsFolder": "/s"}},
        "pluggable-components-sockets-folder",
        "/s",
    ),
    ({"pluggableComponents": {"inject": True}}, "inject-pluggable-components", "true"),
]
#: Those that follow from other values than `dapr`'s.
DERIVED = {"enabled", "app-id", "config", "app-port", "api-token-secret", "app-token-secret"}
#: Those that there is another of, by Dapr's own word, and one that belongs to a component.
LEFT_OUT = {"app-ssl", "http-max-request-size", "http-read-buffer-size", "component-container"}


def annotated(helm: Helm, dapr: dict[str, Any], chart: str = "orchestrator") -> dict[str, str]:
    deployment = find(helm.documents(chart, {"dapr": dapr}), "Deployment", chart)
    notes = deployment["spec"]["template"]["metadata"]["annotations"]
    return {
        name.removeprefix("dapr.io/"): value
        for name, value in notes.items()
        if name.startswith("dapr.io/")
    }


@pytest.mark.parametrize(
    ("value", "name", "text"), TYPED, ids=[f"{name}={text}" for _, name, text in TYPED]
)
def test_value_becomes_its_annotation(
    helm: Helm, value: dict[str, Any], name: str, text: str
) -> None:
    assert annotated(helm, value)[name] == text


def test_every_annotation_that_dapr_reads_has_a_value() -> None:
    folder = toolchain_of(DAPR).module_folder()
    source = (folder / "pkg" / "injector" / "patcher" / "sidecar.go").read_text("utf-8")
    read = set(re.findall(r'annotation:"dapr\.io/([a-z0-9-]+)"', source))

    assert len(read) > 50
    assert read == {name for _, name, _ in TYPED} | DERIVED | LEFT_OUT


@pytest.mark.parametrize("chart", SERVICES)
def test_nothing_is_annotated_that_dapr_does_not_know(helm: Helm, chart: str) -> None:
    known = {name for _, name, _ in TYPED} | DERIVED

    assert set(annotated(helm, {}, chart)) <= known


def test_only_the_orchestrators_sidecar_calls_its_app(helm: Helm) -> None:
    """As on the local stack: the others have no port that a sidecar calls."""
    assert {chart: "app-port" in annotated(helm, {}, chart) for chart in SERVICES} == {
        "orchestrator": True,
        "activity-worker": False,
        "status-api": False,
    }


def source(name: str) -> Any:
    return yaml.safe_load((ROOT / "components" / f"{name}.yaml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("statestore", "Component"),
        ("resiliency", "Resiliency"),
        ("workflowaccesspolicy", "WorkflowAccessPolicy"),
        ("configuration", "Configuration"),
    ],
)
def test_by_default_the_umbrella_brings_components_as_they_are(
    helm: Helm, name: str, kind: str
) -> None:
    wanted = source(name)

    made = find(helm.documents("holdfast"), kind, wanted["metadata"]["name"])

    assert {key: made[key] for key in wanted if key != "metadata"} == {
        key: wanted[key] for key in wanted if key != "metadata"
    }


def test_app_ids_and_namespace_are_the_releases_everywhere(helm: Helm) -> None:
    ids = {"orchestrator": "o-1", "activityWorker": "w-1", "statusApi": "s-1"}
    values = {"global": {"holdfast": {"appIds": ids}}}

    documents = helm.documents("holdfast", values, namespace="elsewhere")

    made = {one["kind"]: one for one in documents if one["apiVersion"] == "dapr.io/v1alpha1"}
    [policy] = made["Configuration"]["spec"]["accessControl"]["policies"]
    assert (policy["appId"], policy["namespace"]) == ("s-1", "elsewhere")
    assert made["Component"]["scopes"] == ["o-1", "w-1"]
    assert made["Resiliency"]["scopes"] == ["s-1"]
    assert list(made["Resiliency"]["spec"]["targets"]["apps"]) == ["o-1"]
    assert made["WorkflowAccessPolicy"]["scopes"] == ["w-1"]
    [rule] = made["WorkflowAccessPolicy"]["spec"]["rules"]
    assert rule["callers"] == [{"appID": "o-1"}]
    for chart, app_id in zip(SERVICES, ids.values(), strict=True):
        pod = find(documents, "Deployment", chart)["spec"]["template"]
        assert pod["metadata"]["annotations"]["dapr.io/app-id"] == app_id
        [container] = pod["spec"]["containers"]
        env = {one["name"]: one.get("value") for one in container["env"]}
        assert env["HOLDFAST_ORCHESTRATOR_APP_ID"] == "o-1"
        assert env["HOLDFAST_WORKER_APP_ID"] == "w-1"
        assert env["HOLDFAST_APP_ID"] == app_id


def test_settings_reach_the_resources_and_restart_the_pods(helm: Helm) -> None:
    dapr = {
        "trustDomain": "example.org",
        "managementTimeout": "9s",
        "stateStore": {"maxConnections": 40},
        "workflow": {
            "maxConcurrentActivities": 7,
            "globalMaxConcurrentWorkflows": 70,
            "workflowLimits": [{"name": "book_trip", "maxConcurrent": 5}],
            "retention": {"anyTerminal": "", "failed": "48h"},
        },
    }
    tracing = {"endpoint": "http://collector.observability:4318", "samplingRate": "0.25"}
    values = {"global": {"holdfast": {"dapr": dapr, "tracing": tracing}}}

    before, after = helm.documents("holdfast"), helm.documents("holdfast", values)

    made = {one["kind"]: one["spec"] for one in after if one["apiVersion"] == "dapr.io/v1alpha1"}
    configuration = made["Configuration"]
    assert configuration["accessControl"]["trustDomain"] == "example.org"
    assert configuration["accessControl"]["policies"][0]["trustDomain"] == "example.org"
    assert configuration["workflow"] == {
        "maxConcurrentWorkflowInvocations": 256,
        "maxConcurrentActivityInvocations": 7,
        "globalMaxConcurrentWorkflowInvocations": 70,
        "workflowConcurrencyLimits": [{"name": "book_trip", "maxConcurrent": 5}],
        "stateRetentionPolicy": {"failed": "48h"},
    }
    assert configuration["tracing"] == {
        "samplingRate": "0.25",
        "otel": {
            "endpointAddress": "collector.observability:4318",
            "isSecure": False,
            "protocol": "http",
        },
    }
    assert made["Resiliency"]["policies"]["timeouts"] == {"management": "9s"}
    store = {one["name"]: one.get("value") for one in made["Component"]["metadata"]}
    assert store["maxConns"] == "40"
    for chart in SERVICES:
        old, new = (
            find(documents, "Deployment", chart)["spec"]["template"]["metadata"]["annotations"]
            for documents in (before, after)
        )
        assert old["holdfast/dapr-settings"] != new["holdfast/dapr-settings"]


def test_alerts_and_dashboards_are_those_of_observability(helm: Helm) -> None:
    on = {"metrics": {"prometheusRule": {"enabled": True}}}
    values = dict.fromkeys(SERVICES, on) | {"dashboards": {"enabled": True}}

    documents = helm.documents("holdfast", values)

    alerts = yaml.safe_load((ROOT / "observability" / "alerts.yaml").read_text())
    made = [
        rule
        for one in documents
        if one["kind"] == "PrometheusRule"
        for group in one["spec"]["groups"]
        for rule in group["rules"]
    ]
    wanted = [rule for group in alerts["groups"] for rule in group["rules"]]
    assert sorted(made, key=str) == sorted(wanted, key=str)
    maps = {
        name: text
        for one in documents
        if one["kind"] == "ConfigMap"
        for name, text in one["data"].items()
    }
    dashboards = list((ROOT / "observability" / "dashboards").glob("*.json"))
    assert {path.name: path.read_text().strip() for path in dashboards} == {
        name: text.strip() for name, text in maps.items()
    }
