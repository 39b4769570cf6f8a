"""Pods are restricted, hold no secret, live without their sidecars and end in the right order."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.testing import CliRunner
from yaml import safe_load_all

from holdfast_cli.main import app
from holdfast_servicekit.gunicorn_conf import GRACEFUL_TIMEOUT_SECONDS
from tests.charts.conftest import SERVICES, Document, Helm, everything_on, find, pods_of

#: Who is frozen for that long must wake up before the kubelet gives up.
FROZEN_SECONDS = 45


def violations(pod: Document) -> list[str]:
    """Say what Pod Security `restricted` refuses (its v1.34 rules), and what we ask besides."""
    spec = pod["spec"]
    context = spec.get("securityContext", {})
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}
    allowed |= {"persistentVolumeClaim", "name"}
    found += [key for volume in spec.get("volumes", []) for key in volume if key not in allowed]
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        own = {**context, **container.get("securityContext", {})}
        rules = {
            "escalation": own.get("allowPrivilegeEscalation") is False,
            "privileged": not own.get("privileged"),
            "non-root": own.get("runAsNonRoot") is True and own.get("runAsUser", 0) != 0,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "seccomp": own.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "host ports": not any(port.get("hostPort") for port in container.get("ports", [])),
            "read-only root": own.get("readOnlyRootFilesystem") is True,
            "memory limit": "memory" in container.get("resources", {}).get("limits", {}),
        }
        found += [f"{container['name']}: {rule}" for rule, held in rules.items() if not held]
    return found


@pytest.mark.parametrize("values", [{}, everything_on()], ids=["defaults", "everything"])
def test_every_pod_is_restricted(helm: Helm, values: dict[str, Any]) -> None:
    pods = pods_of(helm.documents("holdfast", values))

    assert len(pods) == 9  # three services, two migrations, four tests
    assert {name: violations(pod) for name, pod in pods.items() if violations(pod)} == {}
    assert {
        name
        for name, pod in pods.items()
        if pod["spec"]["automountServiceAccountToken"] is not False
    } == {"Deployment/activity-worker"}  # it asks for Jobs


def test_a_pod_that_is_not_restricted_would_be_found(helm: Helm) -> None:
    pod = pods_of(helm.documents("holdfast"))["Deployment/orchestrator"]
    container = pod["spec"]["containers"][0]["securityContext"]
    container["allowPrivilegeEscalation"] = True
    container["capabilities"] = {}

    assert violations(pod) == ["orchestrator: escalation", "orchestrator: capabilities"]


@pytest.mark.parametrize("chart", SERVICES)
def test_sidecar_is_told_what_restricted_asks_for(helm: Helm, chart: str) -> None:
    notes = find(helm.documents(chart), "Deployment", chart)["spec"]["template"]["metadata"][
        "annotations"
    ]

    assert notes["dapr.io/sidecar-seccomp-profile-type"] == "RuntimeDefault"
    assert notes["dapr.io/disable-builtin-k8s-secret-store"] == "true"


def referred_secrets(documents: list[Document]) -> dict[str, set[str]]:
    """Return the names and keys of all Secrets that the objects refer to."""
    found: dict[str, set[str]] = {}

    def look(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                look(one)
        if not isinstance(value, dict):
            return
        reference = value.get("secretKeyRef")
        if reference:
            found.setdefault(reference["name"], set()).add(reference["key"])
        if "secretName" in value:
            keys = {item["key"] for item in value.get("items", [])}
            found.setdefault(value["secretName"], set()).update(keys)
        for key, one in value.items():
            if re.fullmatch(r"dapr.io/(api|app)-token-secret", key):
                found.setdefault(one, set()).add("token")
            look(one)

    look(documents)
    return found


def test_every_secret_that_is_referred_to_is_made_by_the_one_command(
    helm: Helm, tmp_path: Any
) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    done = CliRunner().invoke(
        app,
        [
            *("secrets", "--tokens-file", str(tmp_path / "tokens.json")),
            *("--ca-file", str(certificate), "--passwords-file", str(tmp_path / "roles.env")),
        ],
    )
    made = {one["metadata"]["name"]: set(one["stringData"]) for one in safe_load_all(done.stdout)}
    values = {"global": {"holdfast": {"secrets": {"databaseCa": "holdfast-database-ca"}}}}

    referred = referred_secrets(helm.documents("holdfast", values))

    assert set(referred) == set(made)
    assert {name for name, keys in referred.items() if not keys <= made[name]} == set()


@pytest.mark.parametrize("values", [{}, everything_on()], ids=["defaults", "everything"])
def test_no_manifest_holds_a_secret(helm: Helm, values: dict[str, Any]) -> None:
    documents = helm.documents("holdfast", values)

    assert "Secret" not in {one["kind"] for one in documents}
    for name, pod in pods_of(documents).items():
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                secret = re.search(r"TOKEN$|PASSWORD|DATABASE_URL", variable["name"])
                assert not (secret and "value" in variable), f"{name}: {variable['name']}"
    assert not re.search(r"://[^/\s]*:[^/\s]*@", str(documents)), "a URL with a password"


@pytest.mark.parametrize("chart", SERVICES)
def test_liveness_asks_the_process_alone_and_outlasts_a_freeze(helm: Helm, chart: str) -> None:
    [container] = pods_of(helm.documents(chart))[f"Deployment/{chart}"]["spec"]["containers"]

    live, ready, start = (
        container[f"{kind}Probe"] for kind in ("liveness", "readiness", "startup")
    )
    assert live["httpGet"]["path"] == start["httpGet"]["path"] == "/healthz"
    assert ready["httpGet"]["path"] == "/readyz"
    # The first failure may come at once; the last must come after the process woke up.
    assert live["periodSeconds"] * (live["failureThreshold"] - 1) > FROZEN_SECONDS
    assert start["periodSeconds"] * start["failureThreshold"] >= 60


@pytest.mark.parametrize("sidecar", ["native", "container"])
@pytest.mark.parametrize("chart", SERVICES)
def test_sidecar_outlives_its_service_and_both_have_the_time(
    helm: Helm, chart: str, sidecar: str
) -> None:
    native = sidecar == "native"
    documents = helm.documents(chart, {"dapr": {"nativeSidecar": native}})
    pod = pods_of(documents)[f"Deployment/{chart}"]
    [container] = pod["spec"]["containers"]
    notes = pod["metadata"]["annotations"]

    first = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    sidecars = int(notes["dapr.io/graceful-shutdown-seconds"])
    assert notes["dapr.io/enable-native-sidecar"] == str(native).lower()
    # With a native sidecar Kubernetes keeps the order; else the sidecar waits out the drain.
    block = notes.get("dapr.io/block-shutdown-duration")
    assert (block is None) == native
    drained = first + GRACEFUL_TIMEOUT_SECONDS + 5 if native else int(block.removesuffix("s"))
    assert drained >= first + GRACEFUL_TIMEOUT_SECONDS
    assert pod["spec"]["terminationGracePeriodSeconds"] > drained + sidecars


@pytest.mark.parametrize("chart", SERVICES)
def test_two_pods_are_spread_and_one_may_go(helm: Helm, chart: str) -> None:
    documents = helm.documents(chart)
    deployment = find(documents, "Deployment", chart)["spec"]
    budget = find(documents, "PodDisruptionBudget", chart)["spec"]

    assert deployment["replicas"] == 2
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in spread} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_worker_may_read_jobs_and_nobody_anything_else(helm: Helm) -> None:
    values = {"activity-worker": {"kubernetesJobs": {"namespaces": ["batch"]}}}
    documents = helm.documents("holdfast", values)

    roles = [one for one in documents if one["kind"] in {"Role", "ClusterRole"}]
    bindings = [one for one in documents if one["kind"].endswith("RoleBinding")]
    assert {one["metadata"]["namespace"] for one in roles} == {"holdfast", "batch"}
    for role in roles:
        assert role["rules"] == [
            {"apiGroups": ["batch"], "resources": ["jobs/status"], "verbs": ["get"]}
        ]
    assert {
        (subject["name"], subject["namespace"]) for one in bindings for subject in one["subjects"]
    } == {("activity-worker", "holdfast")}


def test_worker_that_sees_no_jobs_has_no_rights_and_no_way_to_the_api(helm: Helm) -> None:
    documents = helm.documents("activity-worker", {"kubernetesJobs": {"enabled": False}})

    assert not {"Role", "RoleBinding"} & {one["kind"] for one in documents}
    rules = find(documents, "NetworkPolicy", "activity-worker")["spec"]["egress"]
    assert not [port for rule in rules for port in rule["ports"] if port["port"] in {443, 6443}]


def test_migrations_run_before_the_pods_the_workers_first_and_leave_nothing(helm: Helm) -> None:
    documents = helm.documents("holdfast")
    jobs = sorted(
        (one for one in documents if one["kind"] == "Job"),
        key=lambda job: int(job["metadata"]["annotations"]["helm.sh/hook-weight"]),
    )

    assert [job["metadata"]["name"] for job in jobs] == [
        "activity-worker-migration",
        "status-api-migration",
    ]
    for job in jobs:
        notes = job["metadata"]["annotations"]
        assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert "hook-succeeded" in notes["helm.sh/hook-delete-policy"]
        assert "before-hook-creation" in notes["helm.sh/hook-delete-policy"]
        # No sidecar: it would never end.
        assert "annotations" not in job["spec"]["template"]["metadata"]
