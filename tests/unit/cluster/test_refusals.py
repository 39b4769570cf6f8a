"""What is missing ends a command in one line before anything is done; mended, it goes on."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from holdfast_cluster import deploy
from holdfast_cluster.checks import GIGABYTE
from holdfast_cluster.nodes import Condition
from holdfast_cluster.release import Release
from tests.unit.cluster.machine import NEXT, Machine, make_machine

NOTHING: frozenset[str] = frozenset()
USER = {"root": False}
#: What is missing, how it is put right, the doctor's subject, and the way out in the line.
MACHINES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"disk": 3 * GIGABYTE}, {"disk": 45 * GIGABYTE}, "Disk", "needs 45 GB: free some space"),
    ({"memory": GIGABYTE}, {"memory": 6 * GIGABYTE}, "Memory", "needs 6 GB: stop other programs"),
    (
        {**USER, "answers": False, "programs": NOTHING},
        {"answers": True, "programs": frozenset({"docker"})},
        "Docker",
        "There is no Docker: install it",
    ),
    # The engine is off, or the user is not in its group.
    ({**USER, "answers": False}, {"answers": True}, "Docker", "sudo usermod -aG docker $USER"),
    (
        {"answers": False, "debian": False, "programs": frozenset({"docker"})},
        {"programs": frozenset({"docker", "dockerd", "iptables"}), "answers": True},
        "Docker",
        "its engine does not answer: start it",
    ),
    ({**USER, "registry": False}, {"registry": True}, "Images", "name a mirror that answers"),
    ({**USER, "registry": False}, {"root": True}, "Images", "run this as root on Debian"),
    ({"debian": False, "registry": False}, {"debian": True}, "Images", "takes root on a Debian"),
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return make_machine(tmp_path, monkeypatch)


@pytest.mark.parametrize(("broken", "mended", "_subject", "way_out"), MACHINES)
def test_cluster_is_refused_before_anything_is_built_and_made_at_the_second_try(
    machine: Machine, broken: dict[str, Any], mended: dict[str, Any], _subject: str, way_out: str
) -> None:
    machine.change(**broken)
    assert way_out in machine.refused("up")

    machine.change(**mended)
    assert machine.goes_on("up")
    assert machine.done == ["tools"]


@pytest.mark.parametrize(("broken", "mended", "subject", "way_out"), MACHINES)
def test_doctor_says_the_same_and_nothing_once_it_is_put_right(
    machine: Machine, broken: dict[str, Any], mended: dict[str, Any], subject: str, way_out: str
) -> None:
    machine.change(**broken)
    found = machine.found()
    assert found.keys() == {subject}
    assert way_out in found[subject]

    machine.change(**mended)
    assert machine.found() == {}
    assert machine.done == []


def test_engine_that_root_can_start_is_not_missing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.change(answers=False, debian=False)
    assert machine.found() == {}
    machine.change(debian=True, programs=NOTHING)
    assert machine.found() == {}

    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert "unset DOCKER_HOST" in machine.refused("up")


def test_port_of_another_program_is_refused_until_it_is_free(machine: Machine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", machine.port))
        other.listen()
        code, _, said = machine("up")
        assert code == 1
        assert said.splitlines()[-1].startswith(f"holdfast: Port {machine.port} on 127.0.0.1 is ")
        assert machine.found().keys() == {"Port"}

    assert machine.goes_on("up")
    assert machine.found() == {}


def test_images_are_not_built_for_who_may_not_use_the_engine(machine: Machine) -> None:
    machine.change(root=False, answers=False)
    assert "sudo usermod -aG docker $USER" in machine.refused("images")

    machine.change(answers=True)
    assert machine.goes_on("images")


@pytest.mark.parametrize(
    ("broken", "way_out"),
    [
        ({"answers": False}, "There is no cluster holdfast: `make cluster` makes it."),
        ({"condition": Condition.NONE}, "There is no cluster holdfast: `make cluster` makes it."),
        ({"condition": Condition.STOPPED}, "`make cluster` starts them."),
        ({"condition": Condition.HALF}, "`make cluster` makes it anew"),
        ({"dapr": None}, "The cluster has no Dapr: `make cluster` installs it."),
        ({"dapr": "1.17.9"}, "Dapr is 1.17.9, Holdfast needs 1.18.0 or newer: `make cluster` "),
    ],
)
def test_deployment_is_refused_before_an_image_is_built_and_done_at_the_second_try(
    machine: Machine, broken: dict[str, Any], way_out: str
) -> None:
    machine.change(condition=Condition.WHOLE)
    good = {name: getattr(machine, name) for name in broken}
    machine.change(**broken)
    code, _, said = machine("deploy")
    assert code == 1
    assert said.startswith("holdfast: ")
    assert said.count("\n") == 1
    assert way_out in said

    machine.change(**good)
    assert machine.goes_on("deploy")


@pytest.mark.parametrize(
    ("broken", "subject", "way_out"),
    [
        ({"condition": Condition.STOPPED}, "Cluster", "`make cluster` starts them"),
        ({"condition": Condition.HALF}, "Cluster", "`make cluster-down` removes it"),
        ({"dapr": None}, "Dapr", "`make cluster` installs it"),
        ({"dapr": "1.17.9"}, "Dapr", "Holdfast needs 1.18.0 or newer"),
        ({"older": ("resiliencies.dapr.io",)}, "Dapr's CRDs", "`make cluster` brings them up to"),
    ],
)
def test_doctor_looks_at_the_cluster_too(
    machine: Machine, broken: dict[str, Any], subject: str, way_out: str
) -> None:
    machine.change(condition=Condition.WHOLE)
    assert machine.found() == {}

    machine.change(**broken)
    found = machine.found()
    assert found.keys() == {subject}
    assert way_out in found[subject]


#: Knows one value, as the charts' schema does, and says what Helm says of any other.
_HELM = """\
#!/bin/sh
case "$1" in
  history) echo "Error: release: not found" >&2; exit 1 ;;
  upgrade)
    while [ "$1" != --values ]; do shift; done
    grep -q "^orchestrator:" "$2" && exit 0
    echo "Error: values don't meet the specifications of the schema(s) in the following chart(s):"
    echo "holdfast:"
    echo "- at '': additional properties 'orchestator' not allowed"
    exit 1 ;;
esac
"""


def test_value_with_a_typo_is_named_and_taken_when_it_is_right(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.change(condition=Condition.WHOLE)
    helm = machine.folder / "helm"
    helm.write_text(_HELM)
    helm.chmod(0o755)
    values = machine.folder / "k8s" / "holdfast-values.yaml"
    values.parent.mkdir()
    monkeypatch.setattr(deploy, "ensure_tools", lambda names: dict.fromkeys(names, helm))
    monkeypatch.setattr(deploy, "base_image", lambda *_arguments: "base")
    monkeypatch.setattr(deploy, "build_services", lambda *_arguments: {"x": "holdfast/x:tag"})
    monkeypatch.setattr(deploy, "load_services", lambda *_arguments: None)
    monkeypatch.setattr(Release, "ensure_secrets", lambda _release: None)
    monkeypatch.setattr(deploy, "prune_images", machine.begin)

    values.write_text("orchestator:\n  replicas: 3\n")
    code, _, said = machine("deploy")
    assert code == 1
    assert said.splitlines()[-1].startswith("holdfast: Holdfast's values are not what its schema")
    assert "additional properties 'orchestator' not allowed" in said.splitlines()[-1]

    values.write_text("orchestrator:\n  replicas: 3\n")
    assert machine("deploy")[2].endswith(f"holdfast: {NEXT}\n")
