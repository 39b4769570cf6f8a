"""The Dapr of any cluster is looked at, and of no other than the one that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from holdfast_cluster import doctor
from holdfast_cluster.cli import app
from tests.unit.cluster.test_dapr import definition

#: Shows the context that it is asked for; its clusters are files of that name.
_KUBECTL = """\
#!/bin/sh
echo "$*" >> "$HERE/asked"
if [ "$1" = config ]; then
  [ "$8" = --context ] && chosen=$9
  [ -e "$HERE/${chosen:-current}" ] || { echo "error: cannot locate context $9" >&2; exit 1; }
  echo "${KUBECONFIG##*/} ${chosen:-current} password"
  exit
fi
read -r file chosen _ < "$KUBECONFIG"
echo "$file $chosen" >> "$HERE/entered"
[ "$2" = deployment ] && kind="deployment.$5" || kind=crds
[ -e "$HERE/$chosen/$kind" ] && exec cat "$HERE/$chosen/$kind"
echo 'Error from server (NotFound): not found' >&2
exit 1
"""
OURS = definition("resiliencies.dapr.io", "policies", "targets")
OLDER = definition("resiliencies.dapr.io", "policies")


class Clusters:
    """What a kubectl on the PATH can reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        context: str,
        version: str | None,
        *crds: dict[str, Any],
        namespace: str = "dapr-system",
    ) -> None:
        place = self.folder / context
        place.mkdir()
        container = {"image": f"daprio/operator:{version}"}
        deployment = {
            "metadata": {"labels": {"app.kubernetes.io/version": version}},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
        if version is not None:
            (place / f"deployment.{namespace}").write_text(json.dumps(deployment))
        (place / "crds").write_text(json.dumps({"items": crds}))

    def lines(self, name: str) -> set[str]:
        """Return what the kubectl noted."""
        return set((self.folder / name).read_text().splitlines())


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clusters:
    """No cluster yet; the pinned Dapr has one definition."""
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(_KUBECTL)
    kubectl.chmod(0o755)
    definitions = tmp_path / "dapr" / "charts" / "dapr" / "crds"
    definitions.mkdir(parents=True)
    (definitions / "resiliency.yaml").write_text(yaml.safe_dump(OURS))

    class Toolchain:
        def module_folder(self) -> Path:
            return tmp_path / "dapr"

    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{kubectl.parent}:/usr/bin:/bin")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "usual"))
    monkeypatch.setattr(doctor, "repository", lambda: tmp_path)
    monkeypatch.setattr(doctor, "dapr_version", lambda: "1.18.2")
    monkeypatch.setattr(doctor, "toolchain_of", lambda _source: Toolchain())
    return Clusters(tmp_path)


def examined(*arguments: str) -> tuple[int, list[str]]:
    """Run the doctor; return its exit status and what it says."""
    ended = CliRunner().invoke(app, ["doctor", *arguments])
    return ended.exit_code, (ended.stdout + ended.stderr).splitlines()


def test_dapr_that_is_new_enough_is_all_that_is_looked_at(clusters: Clusters) -> None:
    clusters.add("staging", "1.18.2", OURS)

    assert examined("--context", "staging") == (
        0,
        ["✓ Dapr: Dapr 1.18.2.", "✓ Dapr's CRDs: All of Dapr's resource definitions are there."],
    )


@pytest.mark.parametrize(
    ("version", "definitions", "said"),
    [
        (None, (), "✗ Dapr: The cluster has no Dapr: docs/charts.md says what must be there"),
        ("1.17.9", (OLDER,), "✗ Dapr: The cluster's Dapr is 1.17.9, Holdfast needs 1.18.0"),
        ("1.18.2", (OLDER,), "✗ Dapr's CRDs: The cluster's CRDs are of an older Dapr (resil"),
    ],
)
def test_what_is_missing_is_named_with_a_way_out_that_is_not_this_clones_cluster(
    clusters: Clusters, version: str | None, definitions: tuple[dict[str, Any], ...], said: str
) -> None:
    clusters.add("staging", version, *definitions)

    code, lines = examined("--context", "staging")

    assert code == 1
    assert lines[-1].startswith(said)
    assert "docs/support-matrix.md" in lines[-1]
    assert "make cluster" not in lines[-1]


def test_cluster_is_the_one_that_is_named_and_dapr_may_be_elsewhere_in_it(
    clusters: Clusters,
) -> None:
    clusters.add("current", None)
    clusters.add("staging", "1.18.2", OURS, namespace="dapr")
    file = clusters.folder / "other.yaml"
    file.touch()

    named = ("--kubeconfig", str(file), "--context", "staging", "--dapr-namespace", "dapr")
    assert examined(*named)[0] == 0
    assert clusters.lines("entered") == {"other.yaml staging"}
    (clusters.folder / "entered").unlink()

    # Without a context it is the file's own, without a file it is the user's.
    assert examined("--kubeconfig", str(file))[0] == 1
    assert examined("--context", "staging", "--dapr-namespace", "dapr")[0] == 0
    assert clusters.lines("entered") == {"other.yaml current", "usual staging"}


def test_cluster_is_only_read_and_its_credentials_are_in_no_file_that_stays(
    clusters: Clusters,
) -> None:
    clusters.add("staging", "1.18.2", OURS)
    there = {path for path in clusters.folder.rglob("*") if path.is_file()}

    examined("--context", "staging")

    assert {line.split()[0] for line in clusters.lines("asked")} == {"config", "get"}
    new = {path for path in clusters.folder.rglob("*") if path.is_file()} - there
    log = clusters.folder / ".run" / "doctor.log"
    assert new == {log, clusters.folder / "asked", clusters.folder / "entered"}
    assert "password" not in log.read_text()


def test_context_that_is_not_there_is_one_line_and_a_file_that_is_not_there_is_refused(
    clusters: Clusters,
) -> None:
    code, lines = examined("--context", "nowhere")
    assert code == 1
    assert [line.partition(" (log: ")[0] for line in lines] == [
        "holdfast: kubectl config failed: error: cannot locate context nowhere"
    ]

    assert examined("--kubeconfig", str(clusters.folder / "nowhere"))[0] == 2
