"""Pods reach what they need, and nothing else; nobody reaches them but who must.

By analysis: not every cluster's network enforces policies. (The analyser network-config-analyzer
comes to the same result; its exact pins keep it out of the lock.)
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.conftest import SERVICES, Document, Helm, everything_on, pods_of
from tests.charts.network import End, may_connect

SIDECAR = 50002
APP = 8080
#: By namespace and labels: what is in the cluster besides.
OTHERS = {
    "postgresql": End("postgresql", "holdfast-data", {"app.kubernetes.io/name": "postgresql"}),
    "dapr": End("dapr", "dapr-system", {"app.kubernetes.io/part-of": "dapr"}),
    "dns": End("dns", "kube-system", {"k8s-app": "kube-dns"}),
    "prometheus": End("prometheus", "monitoring", {"app": "prometheus"}),
    "stranger": End("stranger", "elsewhere", {"app": "stranger"}),
    "neighbour": End("neighbour", "holdfast", {"app": "neighbour"}),
    # Has the labels, but is not of this namespace.
    "double": End(
        "double",
        "elsewhere",
        {
            "app.kubernetes.io/part-of": "holdfast",
            "app.kubernetes.io/name": "status-api",
            "app.kubernetes.io/component": "service",
        },
    ),
    "internet": End("internet", address="93.184.216.34"),
    "private": End("private", address="10.1.2.3"),
}
CONTROL_PLANE = (6500, 50001, 50005, 50006)
PORTS = (53, 80, 443, 3500, 5432, 6443, *CONTROL_PLANE, SIDECAR, APP, 8081, 9090)


def ends(documents: list[Document]) -> dict[str, End]:
    found = {
        name.split("/")[1]: End(
            name.split("/")[1], "holdfast", pod["metadata"]["labels"], {"http": APP}
        )
        for name, pod in pods_of(documents).items()
    }
    return {**found, **OTHERS}


def ways(helm: Helm, values: dict[str, Any]) -> dict[tuple[str, str], set[int]]:
    """Return every way between two ends, and the ports at which it is open."""
    documents = helm.documents("holdfast", values)
    policies = [one for one in documents if one["kind"] == "NetworkPolicy"]
    every = ends(documents)
    found = {
        (source.name, target.name): {
            port for port in PORTS if may_connect(policies, source, target, port)
        }
        for source in every.values()
        for target in every.values()
        if source is not target and {source.namespace, target.namespace} & {"holdfast"}
    }
    return {way: ports for way, ports in found.items() if ports}


#: All of it: what is not here is closed. Clients of the API come from anywhere.
EXPECTED: dict[tuple[str, str], set[int]] = {
    ("orchestrator", "activity-worker"): {SIDECAR},
    ("activity-worker", "orchestrator"): {SIDECAR},
    ("status-api", "orchestrator"): {SIDECAR},
    **{(name, "dapr"): set(CONTROL_PLANE) for name in SERVICES},
    **{
        (name, "postgresql"): {5432}
        for name in (*SERVICES, "activity-worker-migration", "status-api-migration")
    },
    **{("prometheus", name): {APP, 9090} for name in SERVICES},
    **{(f"{name}-test-ready", name): {APP} for name in SERVICES},
    ("holdfast-test-chain", "status-api"): {APP},
    **{
        (name, "status-api"): {APP}
        for name in ("stranger", "double", "postgresql", "dapr", "dns", "internet", "private")
    },
    **{
        (name, "dns"): {53}
        for name in (
            *SERVICES,
            *("activity-worker-migration", "status-api-migration", "holdfast-test-chain"),
            *(f"{service}-test-ready" for service in SERVICES),
        )
    },
}


def test_every_way_is_one_that_is_needed(helm: Helm) -> None:
    values = {"activity-worker": {"kubernetesJobs": {"enabled": False}}}

    assert ways(helm, values) == EXPECTED


def test_worker_that_asks_for_jobs_may_reach_the_api_and_no_other_port(helm: Helm) -> None:
    found = ways(helm, {})

    added = {way: found[way] - EXPECTED.get(way, set()) for way in found}
    added = {way: ports for way, ports in added.items() if ports}
    assert {source for source, _ in added} == {"activity-worker"}
    assert set().union(*added.values()) == {443, 6443}
    # Those that have policies of their own stay closed.
    assert not {target for _, target in added} & {"orchestrator", "status-api"}


def test_peers_of_the_api_narrow_the_way_to_it(helm: Helm) -> None:
    jobs = {"apiPeers": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}

    found = ways(helm, {"activity-worker": {"kubernetesJobs": jobs}})

    assert found == {**EXPECTED, ("activity-worker", "private"): {443, 6443}}


def test_clients_can_be_named(helm: Helm) -> None:
    clients = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}]

    found = ways(helm, {"status-api": {"networkPolicy": {"clients": clients}}})

    callers = {source for (source, target), ports in found.items() if target == "status-api"}
    assert callers == {
        *("stranger", "double", "prometheus", "status-api-test-ready", "holdfast-test-chain"),
    }


def test_receivers_of_webhooks_are_on_the_public_internet_only(helm: Helm) -> None:
    found = ways(helm, {"status-api": {"webhooks": {"egress": True}}})

    assert found["status-api", "internet"] == {443}
    assert ("status-api", "private") not in found


def test_database_outside_of_the_cluster_is_reached_and_the_other_is_not(helm: Helm) -> None:
    database = {"peers": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}

    found = ways(helm, {"global": {"holdfast": {"network": {"database": database}}}})

    assert found["status-api", "private"] == {5432}
    assert ("status-api", "postgresql") not in found


def test_everything_on_opens_only_what_was_switched_on(helm: Helm) -> None:
    found = ways(helm, everything_on())

    assert found["status-api", "orchestrator"] == {SIDECAR}
    assert ("neighbour", "status-api") not in found  # its own way out is closed by the default
    for caller in ("stranger", "neighbour", "double", "internet", "private"):
        for service in ("orchestrator", "activity-worker"):
            assert (caller, service) not in found


def test_without_the_namespaces_default_a_neighbour_is_left_alone(helm: Helm) -> None:
    found = ways(helm, {"networkPolicy": {"defaultDeny": False}})

    assert found["neighbour", "status-api"] == {APP}
    assert found["neighbour", "internet"] == set(PORTS)
    assert ("neighbour", "orchestrator") not in found


def test_network_without_policies_can_be_asked_for(helm: Helm) -> None:
    values = {"global": {"holdfast": {"network": {"enabled": False}}}}

    assert "NetworkPolicy" not in {one["kind"] for one in helm.documents("holdfast", values)}


@pytest.mark.parametrize("chart", SERVICES)
def test_dns_is_asked_by_udp_and_tcp(helm: Helm, chart: str) -> None:
    documents = helm.documents(chart)
    policies = [one for one in documents if one["kind"] == "NetworkPolicy"]
    source, dns = ends(documents)[chart], OTHERS["dns"]

    assert may_connect(policies, source, dns, 53, "UDP")
    assert may_connect(policies, source, dns, 53, "TCP")
