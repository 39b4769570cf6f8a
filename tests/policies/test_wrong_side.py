"""Whoever may not, cannot: Dapr's policies, tokens and scopes, tried by those they keep out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policies.conftest import NAMESPACE, Cluster

WORKER = "app.kubernetes.io/name=activity-worker,app.kubernetes.io/component=service"
STATUS = "app.kubernetes.io/name=status-api,app.kubernetes.io/component=service"

#: Asks what it is given and prints the statuses; `None` where there was no answer at all.
ASK = """
import json, os
import httpx

token = {"dapr-api-token": os.environ["DAPR_API_TOKEN"]}
statuses = []
for method, url, with_token in json.loads(%r):
    try:
        headers = token if with_token else {}
        answer = httpx.request(method, url, headers=headers, timeout=20)
        statuses.append(answer.status_code)
    except httpx.HTTPError:
        statuses.append(None)
print(json.dumps(statuses))
"""
SIDECAR = "http://127.0.0.1:3500/v1.0"
MANAGEMENT = f"{SIDECAR}/invoke/orchestrator/method"
#: Of the engine itself: a workflow of the caller's own that wants an activity of the worker's.
STEAL = """
import json, logging, os, time, uuid
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime

logging.disable(logging.CRITICAL)
runtime = WorkflowRuntime()

def steal(context, _input):
    return (yield context.call_activity("check_job_status", input={}, app_id="activity-worker"))

runtime.register_workflow(steal, name="steal")
runtime.start()
client = DaprWorkflowClient()
name = client.schedule_new_workflow(steal, instance_id=f"steal-{uuid.uuid4().hex}")
state, deadline = None, time.monotonic() + 45
while time.monotonic() < deadline:
    state = client.get_workflow_state(name)
    if state.runtime_status.name in ("COMPLETED", "FAILED"):
        break
    time.sleep(0.5)
failure = state.failure_details.message if state.failure_details else ""
client.terminate_workflow(name)
runtime.shutdown()
print(json.dumps([state.runtime_status.name, failure]))
"""


def ask(
    cluster: Cluster, selector: str, container: str, *calls: tuple[str, str, bool]
) -> list[Any]:
    import json  # noqa: PLC0415

    answer: list[Any] = cluster.python(selector, container, ASK % json.dumps(calls))
    return answer


def test_stranger_may_not_call_the_management_api(cluster: Cluster, intruder: str) -> None:
    calls = [
        ("GET", f"{MANAGEMENT}/instances", True),
        ("POST", f"{MANAGEMENT}/instances", True),
        ("GET", f"{MANAGEMENT}/instances/x", True),
        ("DELETE", f"{MANAGEMENT}/instances/x", True),
        ("GET", f"{MANAGEMENT}/readyz", True),
        ("GET", f"{MANAGEMENT}/metrics", True),
    ]

    assert ask(cluster, intruder, "intruder", *calls) == [403] * len(calls)


def test_worker_may_not_call_the_management_api(cluster: Cluster) -> None:
    calls = [("GET", f"{MANAGEMENT}/instances", True), ("POST", f"{MANAGEMENT}/instances", True)]

    assert ask(cluster, WORKER, "activity-worker", *calls) == [403, 403]


def test_status_api_may_call_what_it_needs_and_no_more(cluster: Cluster) -> None:
    allowed = [
        ("GET", f"{MANAGEMENT}/instances?page_size=1", True),
        ("GET", f"{MANAGEMENT}/instances/no-such-run", True),
        ("GET", f"{MANAGEMENT}/instances/no-such-run/history", True),
        ("DELETE", f"{MANAGEMENT}/instances/no-such-run", True),
        ("GET", f"{MANAGEMENT}/readyz", True),
    ]
    denied = [
        ("GET", f"{MANAGEMENT}/metrics", True),
        ("GET", f"{MANAGEMENT}/healthz", True),
        ("PUT", f"{MANAGEMENT}/instances/no-such-run", True),
        ("POST", f"{MANAGEMENT}/readyz", True),
    ]

    statuses = ask(cluster, STATUS, "status-api", *allowed, *denied)

    assert 403 not in statuses[: len(allowed)]
    assert None not in statuses[: len(allowed)]
    assert statuses[0] == statuses[4] == 200
    assert statuses[len(allowed) :] == [403] * len(denied)


def test_orchestrator_answers_its_own_sidecar_alone(cluster: Cluster, intruder: str) -> None:
    address = "http://orchestrator/instances"

    without, with_another = ask(
        cluster, intruder, "intruder", ("GET", address, False), ("GET", address, True)
    )

    # `None` where the cluster's network enforces the policies: then it is not even reached.
    assert without in {401, None}
    assert with_another in {401, None}


def test_sidecar_answers_nobody_without_its_token(cluster: Cluster, intruder: str) -> None:
    without, with_token = ask(
        cluster,
        intruder,
        "intruder",
        ("GET", f"{SIDECAR}/metadata", False),
        ("GET", f"{SIDECAR}/metadata", True),
    )

    assert (without, with_token) == (401, 200)


def test_sidecars_of_others_are_not_reached_at_all(cluster: Cluster, intruder: str) -> None:
    addresses = [
        pod["status"]["podIP"]
        for pod in cluster.get("pods", "-l", "app.kubernetes.io/component=service")["items"]
    ]

    calls = [("GET", f"http://{address}:3500/v1.0/metadata", True) for address in addresses]

    assert calls
    assert set(ask(cluster, intruder, "intruder", *calls)) == {None}


def test_public_api_answers_nobody_without_a_token(cluster: Cluster, intruder: str) -> None:
    calls = [("GET", "http://status-api/runs", False), ("GET", "http://status-api/runs", True)]

    assert set(ask(cluster, intruder, "intruder", *calls)) <= {401, None}


def test_stranger_may_not_schedule_activities_on_the_worker(
    cluster: Cluster, intruder: str
) -> None:
    state, failure = cluster.python(intruder, "intruder", STEAL)

    assert state == "FAILED", failure
    assert "denied" in failure.lower()


def test_stranger_is_not_given_the_state_store(cluster: Cluster, intruder: str) -> None:
    program = """
import json, os
import httpx

answer = httpx.get(
    "http://127.0.0.1:3500/v1.0/metadata", headers={"dapr-api-token": os.environ["DAPR_API_TOKEN"]}
)
print(json.dumps([one["name"] for one in answer.json()["components"]]))
"""

    assert cluster.python(intruder, "intruder", program) == ["intruder-store"]


@pytest.mark.parametrize(
    ("account", "verb", "what", "may"),
    [
        ("activity-worker", "get", "jobs.batch/status", True),
        ("activity-worker", "list", "jobs.batch", False),
        ("activity-worker", "create", "jobs.batch", False),
        ("activity-worker", "get", "secrets", False),
        ("activity-worker", "get", "pods", False),
        ("orchestrator", "get", "secrets", False),
        ("orchestrator", "get", "jobs.batch/status", False),
        ("status-api", "get", "secrets", False),
        ("default", "get", "secrets", False),
    ],
)
def test_accounts_may_do_what_they_need(
    cluster: Cluster, account: str, verb: str, what: str, *, may: bool
) -> None:
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    resource, _, sub = what.partition("/")
    more = ["--subresource", sub] if sub else []

    done = cluster.run("kubectl", "auth", "can-i", verb, resource, *more, "--as", user)

    assert done.stdout.strip() == ("yes" if may else "no")


@pytest.mark.parametrize(
    "change",
    [
        '{"hostNetwork": true}',
        '{"securityContext": {"runAsNonRoot": false}}',
        '{"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}',
    ],
)
def test_pod_that_is_not_restricted_is_refused(cluster: Cluster, change: str) -> None:
    import json  # noqa: PLC0415

    spec = {"containers": [{"name": "x", "image": "x"}], **json.loads(change)}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}

    done = cluster.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))

    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr
