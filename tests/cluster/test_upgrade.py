"""Upgrade, rollback, and a restart of Dapr's control plane, with runs in flight."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import httpx
import pytest

from holdfast_cluster.services import SERVICES, image_name
from tests.cluster.conftest import NAMESPACE, RELEASE, Cluster
from tests.support.clone import ROOT
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

#: A chain that is accepted while pods are replaced has ended after this time.
MOST_SECONDS = 30.0
#: The jobs of a scheduler that goes wait for its lease, 20 s, and there are three of them;
#: placement hands actors over in up to 8 s.
MOST_SECONDS_OF_CONTROL_PLANE = 60.0
LEGS = 1500


@dataclass
class Traffic:
    """A client that goes on as if nothing happened: a chain every half second."""

    api: httpx.Client
    prefix: str
    runs: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._send)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        for number in itertools.count():
            name = f"{self.prefix}-{number}"
            # A request whose answer is lost is sent again, by its key, as any client should.
            while not self._stop.is_set():
                try:
                    answer = self.api.post(
                        "/workflows/task_chain",
                        json=number,
                        params={"instance_id": name},
                        headers={"Idempotency-Key": name},
                    )
                except httpx.TransportError as error:
                    self.refused.append(repr(error))
                    continue
                if answer.status_code == httpx.codes.ACCEPTED:
                    self.runs.append(name)
                    break
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")
                self._stop.wait(0.2)
            if self._stop.wait(0.5):
                return


def seconds_taken(status: dict[str, Any]) -> float:
    accepted, finished = (
        datetime.fromisoformat(status[name]) for name in ("accepted_at", "finished_at")
    )
    return (finished - accepted).total_seconds()


def nothing_is_lost(
    cluster: Cluster,
    api: httpx.Client,
    name: str,
    change: Callable[[], None],
    most_seconds: float = MOST_SECONDS,
) -> None:
    """Change the installation in the middle of runs; all of them end, with each effect once."""
    unique = f"{name}-{int(time.time())}"
    order = start(api, "request_escalation", {"amount": 5000}, instance_id=f"{unique}-order")
    batch = start(api, "batch_processing", LEGS, instance_id=f"{unique}-batch")
    counted = f"SELECT count(*) FROM work.effects WHERE instance = '{batch}'"
    eventually("the batch is under way", lambda: int(cluster.rows(counted)[0][0]) > 0, seconds=60)
    with Traffic(api, unique) as traffic:
        change()
    assert len(traffic.runs) > 3
    chains = [wait_for_end(api, run) for run in traffic.runs]
    assert {run["state"] for run in chains} == {"COMPLETED"}
    slowest = max(seconds_taken(run) for run in chains)
    assert wait_for_end(api, batch, seconds=240)["output"]["count"] == LEGS
    answer = api.post(f"/runs/{order}/events/human_approval", json={"approved": True, "by": "me"})
    assert answer.status_code == 202, answer.text
    assert wait_for_end(api, order)["output"]["verdict"] == "approved"
    per_run = f"""SELECT instance, count(*) FROM work.effects
                  WHERE instance LIKE '{unique}-%' AND step IN ('step1', 'step2', 'step3')
                  GROUP BY instance"""
    assert {run: int(count) for run, count in cluster.rows(per_run)} == dict.fromkeys(
        traffic.runs, 3
    )
    print(  # noqa: T201 - the figure is what people ask for
        f"{name}: {len(traffic.runs)} chains meanwhile, slowest {slowest:.1f} s,"
        f" {len(traffic.refused)} requests sent again {set(traffic.refused) or ''}"
    )
    assert slowest < most_seconds


@pytest.fixture(scope="module")
def next_tag(cluster: Cluster) -> str:
    """Images of another tag, on all workers: what a new version is to Kubernetes."""
    tag = cluster.image("orchestrator").rpartition(":")[2]
    workers = [node for node in cluster.nodes if "control-plane" not in node]
    for node, service in itertools.product(workers, SERVICES):
        name = f"docker.io/{image_name(service)}"
        cluster.engine.docker(
            *("exec", node, "ctr", "--namespace", "k8s.io", "images", "tag", "--force"),
            *(f"{name}:{tag}", f"{name}:{tag}-next"),
        )
    return f"{tag}-next"


def images(cluster: Cluster) -> set[str]:
    pods = cluster.items("pods", "--selector", f"app.kubernetes.io/instance={RELEASE}")
    return {
        container["image"].rpartition(":")[2]
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        for container in pod["spec"]["containers"]
        if container["name"] in SERVICES
    }


def test_upgrade_to_a_new_image_and_back_loses_nothing(
    cluster: Cluster, api: httpx.Client, next_tag: str
) -> None:
    def upgrade() -> None:
        cluster.run_helm(
            *("upgrade", RELEASE, str(ROOT / "charts" / "holdfast"), "--reuse-values", "--wait"),
            *("--timeout", "8m", "--set-string", f"global.holdfast.imageTag={next_tag}"),
        )
        eventually(
            "all pods have the new image", lambda: images(cluster) == {next_tag}, seconds=120
        )

    def back() -> None:
        cluster.run_helm("rollback", RELEASE, "--wait", "--timeout", "8m")
        eventually(
            "all pods have the old image", lambda: next_tag not in images(cluster), seconds=120
        )

    nothing_is_lost(cluster, api, "upgrade", upgrade)
    nothing_is_lost(cluster, api, "rollback", back)


def test_rolling_restart_of_daprs_control_plane_loses_nothing(
    cluster: Cluster, api: httpx.Client
) -> None:
    parts = (
        "statefulset/dapr-placement-server",
        "statefulset/dapr-scheduler-server",
        "deployment/dapr-sentry",
        "deployment/dapr-operator",
        "deployment/dapr-sidecar-injector",
    )

    def restart() -> None:
        for part in parts:  # one after the other, as anybody would with a system that is in use
            cluster.kube.run("rollout", "restart", "--namespace", "dapr-system", part)
            cluster.kube.wait_for_rollout("dapr-system", part, seconds=300)

    nothing_is_lost(cluster, api, "control-plane", restart, MOST_SECONDS_OF_CONTROL_PLANE)


def test_no_drain_may_take_both_pods_of_a_service(cluster: Cluster) -> None:
    budgets = cluster.items("poddisruptionbudgets", namespace=NAMESPACE)
    allowed = [budget["status"]["disruptionsAllowed"] for budget in budgets]
    assert allowed == [1] * len(SERVICES)
