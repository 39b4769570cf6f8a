"""What an install is: ready, tested by Helm, taken by the API server, and as strict as it says."""

from __future__ import annotations

import httpx
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from holdfast_cluster.services import SERVICES
from tests.charts.conftest import Helm, everything_on, helm, pods_of
from tests.charts.test_pods import violations
from tests.cluster.conftest import NAMESPACE, RELEASE, Cluster
from tests.support.clone import ROOT
from tests.support.waiting import eventually

__all__ = ["helm"]  # a fixture

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

#: Kinds of operators that this cluster does not have.
_ABSENT = {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}
_SBOM = "/opt/holdfast/sbom.cdx.json"
_SCHEDULERS = ("--selector", "app=dapr-scheduler-server")

#: What could install or build something, by its name and as a package of any Python there is.
_INSTALLERS = """
import json, shutil
from pathlib import Path

programs = ["pip", "pip3", "gcc", "cc", "g++", "make"]
print(json.dumps([
    *filter(None, map(shutil.which, programs)),
    *(
        str(found)
        for root in ("/usr/lib", "/usr/local/lib", "/opt/holdfast/lib")
        for name in ("pip", "ensurepip")
        for pattern in (f"python3*/{name}", f"python3*/*-packages/{name}")
        for found in Path(root).glob(pattern)
    ),
]))
"""
#: The bill of materials, and what the markers in a lock ask about.
_MATERIALS = f"""
import json, os, platform, sys
from pathlib import Path

print(json.dumps({{
    "sbom": json.loads(Path("{_SBOM}").read_text("utf-8")),
    "environment": {{
        "implementation_name": sys.implementation.name,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }},
}}))
"""


def test_helms_own_test_passes_and_leaves_no_pod(cluster: Cluster) -> None:
    printed = cluster.run_helm("test", RELEASE, "--timeout", "5m")
    phases = [line.split()[-1] for line in printed.splitlines() if line.startswith("Phase:")]

    assert phases == ["Succeeded"] * 4
    assert cluster.items("pods", "--selector", "app.kubernetes.io/component=test") == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_pod_is_ready_and_restricted_with_its_sidecar(cluster: Cluster, service: str) -> None:
    pods = cluster.pods(service)

    assert len(pods) == 2
    for pod in pods:
        # The injector's own volume, and the sidecar's limits, are as it makes them.
        assert violations(pod) == [], pod["metadata"]["name"]
        status = pod["status"]
        containers = [*status["containerStatuses"], *status["initContainerStatuses"]]
        assert {one["name"]: one["ready"] for one in containers} == {service: True, "daprd": True}


@pytest.mark.parametrize("service", SERVICES)
def test_whoever_gets_in_finds_nothing_to_install_or_build_with(
    cluster: Cluster, service: str
) -> None:
    assert cluster.python(service, _INSTALLERS) == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_bill_of_materials_is_the_lock_and_our_own_packages(
    cluster: Cluster, service: str
) -> None:
    found = cluster.python(service, _MATERIALS)
    listed = [
        (component["name"], Version(component["version"]))
        for component in found["sbom"]["components"]
        if component["purl"].startswith("pkg:pypi/")
    ]
    own = {f"holdfast-{name}" for name in ("contracts", "servicekit", service)}

    assert len(dict(listed)) == len(listed)
    assert {name for name, _ in listed if name.startswith("holdfast-")} == own
    assert {name: version for name, version in listed if name not in own} == locked(
        service, found["environment"]
    )
    assert any(one["purl"].startswith("pkg:deb/") for one in found["sbom"]["components"])
    assert cluster.engine.image_label(cluster.image(service), "holdfast.sbom") == _SBOM


def locked(service: str, environment: dict[str, str]) -> dict[str, Version]:
    """Return the packages of a service's lock, as they are taken in an environment."""
    lines = (ROOT / "requirements" / f"{service}.txt").read_text("utf-8").splitlines()
    requirements = [
        Requirement(line.removesuffix("\\")) for line in lines if line and line[0] not in " #"
    ]
    return {
        canonicalize_name(one.name): Version(str(one.specifier).removeprefix("=="))
        for one in requirements
        if one.marker is None or one.marker.evaluate(environment)
    }


def test_the_control_plane_keeps_what_is_due_three_times(cluster: Cluster) -> None:
    def ready() -> list[bool]:
        pods = cluster.items("pods", *_SCHEDULERS, namespace="dapr-system")
        states = [state for pod in pods for state in pod["status"].get("containerStatuses", ())]
        return [bool(state["ready"]) for state in states]

    eventually("three schedulers are ready", lambda: ready() == [True] * 3, seconds=120)
    claims = cluster.items("persistentvolumeclaims", *_SCHEDULERS, namespace="dapr-system")
    assert [claim["status"]["phase"] for claim in claims] == ["Bound"] * 3


def test_what_the_database_answered_is_on_its_disk(cluster: Cluster) -> None:
    database = ("--selector", "app.kubernetes.io/name=postgresql")
    [claim] = cluster.items("persistentvolumeclaims", *database, namespace="holdfast-data")
    assert claim["status"]["phase"] == "Bound"
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert cluster.rows(f"SHOW {setting}") == [["on"]], setting
    # Of a role or a database, it would go before what the server says.
    loosened = (
        "SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text ~ 'synchronous_commit'"
    )
    assert cluster.rows(loosened) == [["0"]]


def test_the_api_server_takes_every_manifest_without_a_warning(
    cluster: Cluster, helm: Helm
) -> None:
    values = everything_on()
    values["activity-worker"]["kubernetesJobs"] = {"allNamespaces": True}
    # The Service's ports are the release's own; those that are there stay as they are.
    values["status-api"]["service"] = {"type": "NodePort", "nodePort": 30080}
    documents = [one for one in helm.documents("holdfast", values) if one["kind"] not in _ABSENT]

    cluster.kube.run(
        *("apply", "--dry-run=server", "--warnings-as-errors", "--namespace", NAMESPACE),
        *("--server-side", "--force-conflicts", "--filename", "-"),
        stdin=yaml.safe_dump_all(documents),
    )


def test_migrations_run_again_with_nothing_to_do(cluster: Cluster) -> None:
    """The hook's Job, as Helm made it, a second time and a third at once."""
    hooks = cluster.run_helm("get", "hooks", RELEASE)
    jobs = [one for one in yaml.safe_load_all(hooks) if one and one["kind"] == "Job"]
    again = []
    for job in jobs:
        for suffix in ("again-1", "again-2"):
            copy = yaml.safe_load(yaml.safe_dump(job))
            copy["metadata"]["name"] += f"-{suffix}"
            copy["metadata"]["annotations"] = {}
            again.append(copy)
    assert pods_of(again)

    with cluster.applied(again):
        for job in again:
            cluster.kube.run(
                *("wait", "--for=condition=complete", f"job/{job['metadata']['name']}"),
                *("--namespace", NAMESPACE, "--timeout=110s"),
            )


def test_the_public_api_asks_for_a_token(cluster: Cluster) -> None:
    with httpx.Client(base_url=cluster.url, trust_env=False, timeout=10) as nobody:
        assert nobody.get("/runs").status_code == httpx.codes.UNAUTHORIZED
        assert nobody.get("/healthz").status_code == httpx.codes.OK
