"""Any cluster: what does not ask to be hurt is not touched, and what is not done is named."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast_chaos.catalogue import KINDS, possible
from holdfast_chaos.engine import EngineReader
from holdfast_chaos.jobs import serving_jobs
from holdfast_chaos.schedule import ScheduleError, make_schedule
from holdfast_chaos.site import Site
from holdfast_chaos.targets.cluster import Cluster, Component
from holdfast_chaos.targets.holdfast import SERVICES
from holdfast_chaos.targets.pods import Pods
from holdfast_cluster.chaos import guard
from holdfast_cluster.chaos.any_site import any_site
from holdfast_cluster.chaos.found import find_components, find_deployments, find_reference
from holdfast_cluster.chaos.site_file import read_site_file
from holdfast_cluster.errors import ClusterError
from tests.unit.cluster.fake_cluster import FakeCluster

ALLOWED = {guard.LABEL: guard.ALLOWED}
DEPLOYMENTS = "/apis/apps/v1/namespaces/team/deployments"


@pytest.fixture
def site_file(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a site in the cluster, and a kubectl that shows the way to it."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{cluster.port}"}}],
        "users": [{"name": "me", "user": {}}],
    }
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(f"#!/bin/sh\necho '{json.dumps(kubeconfig)}'\n")
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:/usr/bin:/bin")
    (tmp_path / "tokens.json").write_text(json.dumps({"admin": "a", "approver": "b"}))
    file = tmp_path / "staging.toml"
    file.write_text('namespace = "team"\ntokens = "tokens.json"\ncontext = "it"\n')
    return file


def refusal(site_file: Path) -> str:
    with pytest.raises(ClusterError) as refused, any_site(site_file):
        raise AssertionError("the site was entered")
    return str(refused.value)


def deployment(name: str, release: str = "one") -> dict[str, Any]:
    """Return a Deployment as the charts make it."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release}
    token = {"secretKeyRef": {"name": "app", "key": "token"}}
    url = {"secretKeyRef": {"name": "database", "key": "worker-url"}}
    return {
        "metadata": {"name": f"{name}-of-{release}", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"annotations": {"dapr.io/app-id": f"{name}-app"}},
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": "x",
                            "env": [
                                {"name": "APP_API_TOKEN", "valueFrom": token},
                                {"name": "HOLDFAST_DATABASE_URL", "valueFrom": url},
                            ],
                        }
                    ]
                },
            },
        },
    }


@pytest.mark.parametrize("labels", [{}, {guard.LABEL: "true"}, {"chaos": "allowed"}])
def test_namespace_that_does_not_ask_for_it_is_refused_before_anything_is_touched(
    cluster: FakeCluster, site_file: Path, labels: dict[str, str]
) -> None:
    cluster.namespace("team", labels)

    said = refusal(site_file)

    assert said.startswith("Nothing was touched: namespace team is not labelled")
    assert "kubectl label namespace team holdfast.dev/chaos=allowed" in said
    assert cluster.asked == [("GET", "/api/v1/namespaces/team")]


def test_namespace_for_privileged_pods_has_to_ask_for_it_too(
    cluster: FakeCluster, site_file: Path
) -> None:
    cluster.namespace("team", ALLOWED)
    cluster.namespace("nodes")
    site_file.write_text(site_file.read_text() + 'node_pods = "nodes"\n')

    assert "kubectl label namespace nodes holdfast.dev/chaos=allowed" in refusal(site_file)
    assert {method for method, _ in cluster.asked} == {"GET"}


def test_namespace_that_is_not_there_is_named(cluster: FakeCluster, site_file: Path) -> None:
    assert refusal(site_file) == "The cluster has no namespace team."


def test_two_releases_in_one_namespace_must_be_told_apart(
    cluster: FakeCluster, site_file: Path
) -> None:
    cluster.namespace("team", ALLOWED)
    made = [deployment(name, release) for name in SERVICES for release in ("one", "two")]
    cluster.objects[DEPLOYMENTS] = {"items": made}

    assert "2 Deployments with app.kubernetes.io/name=orchestrator" in refusal(site_file)
    assert {method for method, _ in cluster.asked} == {"GET"}
    site_file.write_text(site_file.read_text() + 'release = "two"\n')
    found = find_deployments(cluster.client, read_site_file(site_file))
    assert {one.metadata.name for one in found.values()} == {f"{name}-of-two" for name in SERVICES}
    worker = found["activity-worker"]
    assert find_reference(worker, "activity-worker", "HOLDFAST_DATABASE_URL") == (
        "database",
        "worker-url",
    )
    with pytest.raises(ClusterError, match="has no NOTHING from a Secret"):
        find_reference(worker, "activity-worker", "NOTHING")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("namespace = 1", "namespace: "),
        ('tokens = "t"', "namespace: Field required"),
        ('namespace = "a"\ntokens = "t"\nnamspace = "b"', "namspace: "),
        ("namespace = ", "is no TOML"),
    ],
)
def test_file_that_is_no_site_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ClusterError, match=said):
        read_site_file(file)


@pytest.mark.parametrize("text", ["{}", '{"admin": "a"}', "[]"])
def test_file_of_tokens_must_have_both(site_file: Path, text: str) -> None:
    site_file.with_name("tokens.json").write_text(text)
    assert "approver" in refusal(site_file)


def test_paths_begin_where_the_file_lies(site_file: Path) -> None:
    assert read_site_file(site_file).tokens == site_file.parent / "tokens.json"


def found_in(cluster: FakeCluster, site_file: Path) -> tuple[dict[str, Component], dict[str, str]]:
    cluster.objects[DEPLOYMENTS] = {"items": [deployment(name) for name in SERVICES]}
    said = read_site_file(site_file)
    return find_components(cluster.client, said, find_deployments(cluster.client, said))


@pytest.fixture
def entered(cluster: FakeCluster, site_file: Path) -> Iterator[Site]:
    """What the suite makes of a release that may be hurt, beside a Dapr that may not.

    As far as an API server alone can tell: no database, no API and no engine are behind it.
    """
    cluster.namespace("dapr-system")
    components, withheld = found_in(cluster, site_file)
    for component in components.values():
        labels = dict(part.split("=") for part in component.selector.split(","))
        where = {"name": "-".join(labels.values()), "namespace": component.namespace}
        cluster.objects[f"/api/v1/namespaces/{component.namespace}/pods/{where['name']}"] = {
            "metadata": {**where, "labels": labels},
            "spec": {"containers": [{"name": "x"}]},
            "status": {},
        }
    with httpx.Client() as nobody, serving_jobs() as jobs:
        yield Site(
            target=Pods(Cluster(cluster.client, components, None), "pods in team"),
            database_url="",
            api=nobody,
            engine=EngineReader(nobody),
            jobs=jobs,
            scheduler_jobs=tuple,
            sample=(),
            sizes=dict,
            undoable="it needs a shell on the nodes",
            withheld=withheld,
        )


def test_services_are_found_by_what_the_cluster_says_of_them(entered: Site) -> None:
    assert entered.target.sessions("activity-worker") == "activity-worker-app/"
    assert set(entered.target.components()) == {
        *SERVICES,
        *(f"{name}-sidecar" for name in SERVICES),
    }


def test_without_shells_and_leave_for_dapr_only_what_the_api_server_can_do_is_done(
    entered: Site,
) -> None:
    done = {kind.name for kind in possible(entered.target)}
    refused = entered.refused(KINDS.values())

    assert done == {"delete-pod", "scale-to-zero", "rolling-update", "drain-node"}
    assert done | refused.keys() == KINDS.keys()
    assert refused["kill-app"] == "it needs a shell on the nodes"
    for name in ("delete-scheduler", "delete-placement", "restart-control-plane"):
        assert "kubectl label namespace dapr-system holdfast.dev/chaos=allowed" in refused[name]


def test_with_leave_for_dapr_its_pods_are_deleted_too(
    cluster: FakeCluster, site_file: Path
) -> None:
    cluster.namespace("dapr-system", ALLOWED)
    components, withheld = found_in(cluster, site_file)
    assert {"scheduler", "placement", "sentry"} <= components.keys()
    assert withheld == {}


def test_saved_schedule_with_a_fault_that_is_not_done_here_is_refused_by_its_name(
    entered: Site,
) -> None:
    planned = make_schedule(1, [KINDS["kill-scheduler"]], faults=1, runs=4)
    with pytest.raises(ScheduleError, match="fault-1, kill-scheduler of scheduler, is not done"):
        entered.refuse(planned.faults)
    entered.refuse(make_schedule(1, [KINDS["delete-pod"]], faults=1, runs=4).faults)
