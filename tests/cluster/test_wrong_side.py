"""Whoever may not, cannot: Dapr's policies, tokens and scopes, tried by those they keep out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast_cluster.errors import CommandError
from holdfast_cluster.services import SERVICES
from tests.cluster.conftest import NAMESPACE, Cluster

pytestmark = pytest.mark.cluster

INTRUDER = Path(__file__).with_name("intruder.yaml")

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
import json, logging, uuid
from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime

logging.disable(logging.CRITICAL)
runtime = WorkflowRuntime()

def steal(context, _input):
    return (yield context.call_activity("check_job_status", input={}, app_id="activity-worker"))

runtime.register_workflow(steal, name="steal")
runtime.start()
client = DaprWorkflowClient()
name = client.schedule_new_workflow(steal, instance_id=f"steal-{uuid.uuid4().hex}")
state = client.wait_for_workflow_completion(name, timeout_in_seconds=45)
failure = state.failure_details.message if state.failure_details else ""
client.terminate_workflow(name)
runtime.shutdown()
print(json.dumps([state.runtime_status.name, failure]))
"""


@pytest.fixture(scope="session")
def intruder(cluster: Cluster) -> Iterator[str]:
    """The name of a Deployment, and its container, in our namespace that may do nothing."""
    text = INTRUDER.read_text("utf-8").replace("IMAGE", cluster.image("orchestrator"))
    with cluster.applied(list(yaml.safe_load_all(text))):
        cluster.kube.wait_for_rollout(NAMESPACE, "deployment/intruder", seconds=120)
        yield "intruder"


def ask(cluster: Cluster, who: str, *calls: tuple[str, str, bool]) -> list[Any]:
    """Let a service, or the intruder, make calls; return the statuses."""
    answer: list[Any] = cluster.python(who, ASK % json.dumps(calls))
    return answer


def test_stranger_may_not_call_the_management_api(cluster: Cluster, intruder: str) -> None:
    calls = [
        ("GET", f"{MANAGEMENT}/instances", True),
        ("POST", f"{MANAGEMENT}/instances", True),
        ("GET", f"{MANAGEMENT}/instances/x", True),
        ("DELETE", f"{MANAGEMENT}/instances/x", True),
        ("GET", f"{MANAGEMENT}/readyz", True),
        ("GET", f"{MANAGEMENT}/metrics", True),
        ("GET", f"{MANAGEMENT}/scheduler/word", True),
    ]

    assert ask(cluster, intruder, *calls) == [403] * len(calls)


def test_worker_may_not_call_the_management_api(cluster: Cluster) -> None:
    calls = [("GET", f"{MANAGEMENT}/instances", True), ("POST", f"{MANAGEMENT}/instances", True)]

    assert ask(cluster, "activity-worker", *calls) == [403, 403]


def test_status_api_may_call_what_it_needs_and_no_more(cluster: Cluster) -> None:
    allowed = [
        ("GET", f"{MANAGEMENT}/instances?page_size=1", True),
        ("GET", f"{MANAGEMENT}/instances/no-such-run", True),
        ("GET", f"{MANAGEMENT}/instances/no-such-run/history", True),
        ("DELETE", f"{MANAGEMENT}/instances/no-such-run", True),
        ("GET", f"{MANAGEMENT}/readyz", True),
        ("GET", f"{MANAGEMENT}/scheduler/word", True),
    ]
    denied = [
        ("GET", f"{MANAGEMENT}/metrics", True),
        ("GET", f"{MANAGEMENT}/healthz", True),
        ("PUT", f"{MANAGEMENT}/instances/no-such-run", True),
        ("POST", f"{MANAGEMENT}/readyz", True),
        ("DELETE", f"{MANAGEMENT}/scheduler/word", True),
    ]

    statuses = ask(cluster, "status-api", *allowed, *denied)

    assert 403 not in statuses[: len(allowed)]
    assert None not in statuses[: len(allowed)]
    assert statuses[0] == statuses[4] == statuses[5] == 200
    assert statuses[len(allowed) :] == [403] * len(denied)


def test_orchestrator_answers_its_own_sidecar_alone(cluster: Cluster, intruder: str) -> None:
    address = "http://orchestrator/instances"

    without, with_another = ask(cluster, intruder, ("GET", address, False), ("GET", address, True))

    # `None` where the cluster's network enforces the policies: then it is not even reached.
    assert without in {401, None}
    assert with_another in {401, None}


def test_sidecar_answers_nobody_without_its_token(cluster: Cluster, intruder: str) -> None:
    without, with_token = ask(
        cluster,
        intruder,
        ("GET", f"{SIDECAR}/metadata", False),
        ("GET", f"{SIDECAR}/metadata", True),
    )

    assert (without, with_token) == (401, 200)


def test_sidecars_of_others_are_not_reached_at_all(cluster: Cluster, intruder: str) -> None:
    addresses = [
        pod["status"]["podIP"] for pod in itertools.chain.from_iterable(map(cluster.pods, SERVICES))
    ]

    calls = [("GET", f"http://{address}:3500/v1.0/metadata", True) for address in addresses]

    assert calls
    assert set(ask(cluster, intruder, *calls)) == {None}


def test_public_api_answers_nobody_without_a_token(cluster: Cluster, intruder: str) -> None:
    calls = [("GET", "http://status-api/runs", False), ("GET", "http://status-api/runs", True)]

    assert set(ask(cluster, intruder, *calls)) <= {401, None}


def test_stranger_may_not_schedule_activities_on_the_worker(
    cluster: Cluster, intruder: str
) -> None:
    state, failure = cluster.python(intruder, STEAL)

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

    assert cluster.python(intruder, program) == ["intruder-store"]


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
    question = ("auth", "can-i", verb, resource, *more, "--as", user, "--namespace", NAMESPACE)

    if may:
        assert cluster.kube.run(*question) == "yes\n"
        return
    with pytest.raises(CommandError) as answer:
        cluster.kube.run(*question)
    assert answer.value.output.endswith("no\n")


@pytest.mark.parametrize(
    "change",
    [
        {"hostNetwork": True},
        {"securityContext": {"runAsNonRoot": False}},
        {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        {"containers": [{"name": "x", "image": "x", "securityContext": {"privileged": True}}]},
    ],
)
def test_pod_that_is_not_restricted_is_refused(cluster: Cluster, change: dict[str, Any]) -> None:
    spec = {"containers": [{"name": "x", "image": "x"}], **change}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}

    with pytest.raises(CommandError) as refused:
        cluster.kube.run(
            *("apply", "--dry-run=server", "--namespace", NAMESPACE, "--filename", "-"),
            stdin=json.dumps(pod),
        )

    assert 'violates PodSecurity "restricted' in refused.value.output
