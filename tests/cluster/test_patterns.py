"""Every pattern in the cluster, through the public API."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.conftest import NAMESPACE, Cluster
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

TRIP = {"traveller": "a traveller", "flight": "AMS-JFK", "hotel": "Harbour Hotel", "car": "compact"}


def effects(cluster: Cluster, run: str) -> list[str]:
    """The run's effects in the order in which they were committed."""
    query = f"SELECT step FROM work.effects WHERE instance = '{run}' ORDER BY seq"
    return [step for (step,) in cluster.rows(query)]


def test_chain(cluster: Cluster, api: httpx.Client) -> None:
    run = start(api, "task_chain", 1)
    assert wait_for_end(api, run)["output"] == [2, 4, 16]
    assert effects(cluster, run) == ["step1", "step2", "step3"]


def test_fan_out_through_children(cluster: Cluster, api: httpx.Client) -> None:
    run = start(api, "batch_processing", 200)
    assert wait_for_end(api, run)["output"]["count"] == 200
    items = f"""SELECT count(*), count(DISTINCT key) FROM work.effects
                WHERE instance = '{run}' AND step = 'process_work_item'"""
    assert cluster.rows(items) == [["200", "200"]]


@pytest.fixture
def job(cluster: Cluster) -> Iterator[str]:
    """A Kubernetes Job of a few seconds, in the image that is there anyway."""
    image = cluster.image("activity-worker")
    name = f"counting-{uuid.uuid4().hex[:8]}"
    cluster.kube.apply(_JOB.format(name=name, namespace=NAMESPACE, image=image))
    yield name
    cluster.kube.run("delete", "job", "--namespace", NAMESPACE, name, "--wait=false")


def test_monitor_of_a_kubernetes_job(cluster: Cluster, api: httpx.Client, job: str) -> None:
    payload = {"job_id": f"kubernetes:{NAMESPACE}/{job}", "poll_interval_seconds": 0.5}
    run = start(api, "job_status_monitor", payload)
    output = wait_for_end(api, run)["output"]
    assert output["status"] == "completed"
    assert output["polls"] > 1
    assert effects(cluster, run)[-1] == "notify_complete"


def test_monitor_of_a_job_in_another_namespace_is_refused_by_rbac(api: httpx.Client) -> None:
    run = start(api, "job_status_monitor", "kubernetes:kube-system/any")
    ended = wait_for_end(api, run)
    assert ended["state"] == "FAILED"
    assert "orbidden" in ended["failure"]["message"]


def test_order_is_decided_by_a_person(cluster: Cluster, api: httpx.Client) -> None:
    run = start(api, "request_escalation", {"amount": 5000})
    approval = {"approved": True, "by": "somebody else"}
    answer = api.post(f"/runs/{run}/events/human_approval", json=approval)
    assert answer.status_code == 202, answer.text
    output = wait_for_end(api, run)["output"]
    # Who decided is what the token says.
    assert (output["verdict"], output["by"]) == ("approved", "approver")
    assert effects(cluster, run) == ["record_decision", "process_approval_activity"]


def test_order_that_nobody_decides_times_out(api: httpx.Client) -> None:
    run = start(api, "request_escalation", {"amount": 5000, "approval_window_seconds": 2})
    assert wait_for_end(api, run)["output"]["verdict"] == "timed_out"


def test_trip_is_booked(api: httpx.Client) -> None:
    run = start(api, "book_trip", TRIP)
    assert wait_for_end(api, run)["output"]["outcome"] == "booked"


def test_trip_without_a_car_is_undone(cluster: Cluster, api: httpx.Client) -> None:
    run = start(api, "book_trip", {**TRIP, "car": "flying carpet"})
    assert wait_for_end(api, run)["state"] == "FAILED"
    assert effects(cluster, run)[-2:] == ["cancel_hotel", "cancel_flight"]
    booked = f"SELECT count(*) FROM work.bookings WHERE instance = '{run}' AND state = 'booked'"
    assert cluster.rows(booked) == [["0"]]


def test_async_http_polls_to_the_end(api: httpx.Client) -> None:
    accepted = api.post("/workflows/task_chain", json=2)
    assert accepted.status_code == 202
    assert int(accepted.headers["Retry-After"]) >= 1
    location = accepted.headers["Location"]
    eventually(
        "the run is COMPLETED",
        lambda: api.get(location).json()["state"] == "COMPLETED",
        seconds=60,
    )


_JOB = """
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  backoffLimit: 0
  template:
    metadata:
      annotations: {{dapr.io/enabled: "false"}}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: count
          image: {image}
          command: [python3, -c, "import time; time.sleep(4)"]
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
"""
