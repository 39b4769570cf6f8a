"""A measurement leaves no trace in the numbers of pods, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.scaling.replicas import BEFORE, PAUSED, Replicas
from tests.unit.bench.scaling import api_server
from tests.unit.bench.scaling.api_server import NAMESPACE, Cluster

SCALED = ("orchestrator", "activity-worker")
WANTED = {"orchestrator": 3, "activity-worker": 1}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with api_server.running() as cluster:
        for name in (*SCALED, "status-api"):
            cluster.deployment(name, 2)
        yield cluster


def replicas(cluster: Cluster) -> Replicas:
    return Replicas(cluster.client, NAMESPACE, SCALED)


def notes(cluster: Cluster) -> list[str]:
    return [
        name
        for objects in cluster.objects.values()
        for name, one in objects.items()
        if BEFORE in one["metadata"]["annotations"]
    ]


def target(name: str) -> dict[str, str]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


def autoscaler(cluster: Cluster, name: str, **metadata: Any) -> dict[str, Any]:
    spec = {"scaleTargetRef": target(name), "minReplicas": 2, "maxReplicas": 6}
    return cluster.add("horizontalpodautoscalers", f"{name}-scaler", spec, **metadata)


def test_pods_are_as_many_as_wanted_and_afterwards_as_many_as_before(cluster: Cluster) -> None:
    with replicas(cluster).held() as held:
        held.scale(WANTED)
        during = cluster.replicas()
        held.scale({"orchestrator": 1, "activity-worker": 1})

    assert during == {**WANTED, "status-api": 2}
    assert cluster.replicas() == {"orchestrator": 2, "activity-worker": 2, "status-api": 2}
    assert notes(cluster) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_interrupted_measurement_puts_pods_back(
    cluster: Cluster, failure: type[BaseException]
) -> None:
    def measure() -> None:
        with replicas(cluster).held() as held:
            held.scale(WANTED)
            assert cluster.replicas()["orchestrator"] == 3
            raise failure

    with pytest.raises(failure):
        measure()

    assert cluster.replicas() == {"orchestrator": 2, "activity-worker": 2, "status-api": 2}


def test_what_a_killed_measurement_left_is_put_back_by_the_next(cluster: Cluster) -> None:
    replicas(cluster).scale(WANTED)
    assert sorted(notes(cluster)) == sorted(SCALED)

    with replicas(cluster).held():
        assert cluster.replicas() == {"orchestrator": 2, "activity-worker": 2, "status-api": 2}
        assert notes(cluster) == []


def test_autoscaler_stands_still_and_then_has_its_bounds_again(cluster: Cluster) -> None:
    scaler = autoscaler(cluster, "orchestrator")
    other = autoscaler(cluster, "status-api")

    with replicas(cluster).held() as held:
        held.scale(WANTED)
        assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 3)
        assert (other["spec"]["minReplicas"], other["spec"]["maxReplicas"]) == (2, 6)

    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 6)
    assert "horizontalpodautoscalers/status-api-scaler" not in cluster.patched


def test_autoscaler_is_told_before_the_deployment_that_it_would_scale(cluster: Cluster) -> None:
    autoscaler(cluster, "orchestrator")

    replicas(cluster).scale(WANTED)

    told = cluster.patched.index("horizontalpodautoscalers/orchestrator-scaler")
    assert told < cluster.patched.index("deployments/orchestrator")


def test_keda_is_paused_itself_and_its_autoscaler_is_left_to_it(cluster: Cluster) -> None:
    found = cluster.add("scaledobjects", "worker", {"scaleTargetRef": target(SCALED[1])})
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "worker", "uid": "1"}
    autoscaler(cluster, SCALED[1], ownerReferences=[owner])

    with replicas(cluster).held() as held:
        held.scale(WANTED)
        assert found["metadata"]["annotations"][PAUSED] == "1"

    assert found["metadata"]["annotations"] == {}
    assert not [one for one in cluster.patched if one.startswith("horizontal")]


def test_pod_that_still_ends_is_waited_for(cluster: Cluster) -> None:
    ended = {"metadata": {"name": "old", "deletionTimestamp": "2026-01-02T03:04:05Z"}, "status": {}}
    cluster.ending = [ended]
    asked: list[int] = []

    class Watched(Cluster):
        """Nothing of the measurement's: the pod goes when it has been seen three times."""

        def pods(self, name: str) -> list[dict[str, Any]]:
            asked.append(1)
            if len(asked) > 3:
                self.ending = []
            return super().pods(name)

    cluster.__class__ = Watched
    replicas(cluster).scale(WANTED)

    assert len(asked) > 3
