"""The chaos suite on a cluster that it did not make: asked for leave, found, hurt with measure."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast_chaos.campaign import perform
from holdfast_chaos.catalogue import KINDS, possible
from holdfast_chaos.play import Watcher
from holdfast_chaos.schedule import make_schedule
from holdfast_chaos.site import Site
from holdfast_cluster import database
from holdfast_cluster.chaos import guard
from holdfast_cluster.chaos.any_site import any_site
from holdfast_cluster.chaos.site_file import DATABASE_URL
from holdfast_cluster.dapr import NAMESPACE as DAPR
from holdfast_cluster.errors import ClusterError
from holdfast_contracts.certificate import PASS
from tests.cluster.conftest import NAMESPACE, Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROLE = "holdfast_chaos_guest"
NODES = "holdfast-chaos-nodes"


@pytest.fixture
def site_file(cluster: Cluster, tmp_path: Path) -> Path:
    """What a user would write of this cluster."""
    file = tmp_path / "kind.toml"
    file.write_text(
        f'namespace = "{NAMESPACE}"\n'
        f'kubeconfig = "{cluster.folder.kubeconfig}"\n'
        f'tokens = "{cluster.folder.path / "tokens.json"}"\n'
    )
    return file


@pytest.fixture
def labelled(cluster: Cluster) -> Iterator[None]:
    """Leave to hurt the release and Dapr."""
    for name in (NAMESPACE, DAPR):
        cluster.kube.run("label", "namespace", name, f"{guard.LABEL}={guard.ALLOWED}")
    yield
    for name in (NAMESPACE, DAPR):
        cluster.kube.run("label", "namespace", name, f"{guard.LABEL}-")


@pytest.fixture
def role(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database role as docs/chaos.md has it made."""
    password = secrets.token_hex(16)
    groups = "holdfast_owner, holdfast_dapr, pg_monitor, pg_signal_backend"
    cluster.rows(f"DROP ROLE IF EXISTS {ROLE}")
    cluster.rows(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}' IN ROLE {groups}")
    host = f"postgresql.{database.NAMESPACE}.svc"
    monkeypatch.setenv(DATABASE_URL, f"postgresql://{ROLE}:{password}@{host}/holdfast")
    yield
    cluster.rows(f"DROP ROLE {ROLE}")


@pytest.fixture
def nodes(cluster: Cluster, site_file: Path) -> Iterator[None]:
    """Leave to make privileged pods in a namespace of their own."""
    cluster.kube.run("create", "namespace", NODES)
    privileged = "pod-security.kubernetes.io/enforce=privileged"
    cluster.kube.run("label", "namespace", NODES, f"{guard.LABEL}={guard.ALLOWED}", privileged)
    site_file.write_text(site_file.read_text() + f'node_pods = "{NODES}"\n')
    yield
    cluster.kube.run("delete", "namespace", NODES, "--wait=false")


def passes(site: Site, folder: Path, *names: str) -> None:
    """Play one fault of each kind, with runs at a step to find."""
    kinds = possible(site.target, [KINDS[name] for name in names])
    assert {kind.name for kind in kinds} == set(names)
    schedule = make_schedule(17, kinds, faults=len(names), runs=4 * len(names))
    played = perform(schedule, site, folder, Watcher(print))
    wrong = [one for result in played.certificate.invariants for one in result.violations]
    assert played.certificate.verdict == PASS, wrong


def test_cluster_without_the_label_is_not_entered(site_file: Path) -> None:
    with pytest.raises(ClusterError, match="Nothing was touched"), any_site(site_file):
        raise AssertionError("it was entered")


@pytest.mark.usefixtures("labelled")
def test_owner_of_the_schemas_is_told_what_it_lacks(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATABASE_URL, raising=False)
    with (
        pytest.raises(ClusterError, match="no member of pg_monitor, pg_signal_backend") as told,
        any_site(site_file),
    ):
        raise AssertionError("it was entered")
    assert "CREATE ROLE holdfast_chaos" in str(told.value)


@pytest.mark.usefixtures("labelled", "role")
def test_what_the_api_server_can_do_is_done_and_the_rest_is_named(
    site_file: Path, tmp_path: Path
) -> None:
    with any_site(site_file) as site:
        refused = site.refused(KINDS.values())
        assert "kill-app" in refused
        assert "delete-scheduler" not in refused
        passes(site, tmp_path, "delete-pod", "delete-scheduler")


@pytest.mark.usefixtures("labelled", "role", "nodes")
def test_pods_on_the_nodes_make_signals_possible_and_go_again(
    cluster: Cluster, site_file: Path, tmp_path: Path
) -> None:
    with any_site(site_file) as site:
        assert "partition" not in site.refused([KINDS["partition"]])
        passes(site, tmp_path, "kill-sidecar", "freeze")
        assert cluster.items("pods", namespace=NODES)
    assert cluster.items("pods", namespace=NODES) == []
