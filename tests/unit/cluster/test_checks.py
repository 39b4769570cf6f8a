"""Each thing that can be missing for a cluster is named in one line with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_cluster import checks
from holdfast_cluster.checks import GIGABYTE, Level
from holdfast_cluster.explain import explain_helm, explain_kind, port_taken
from holdfast_cluster.nodes import Condition


def docker(
    *,
    answers: bool = False,
    client: bool = False,
    daemon: bool = False,
    root: bool = False,
    debian: bool = False,
    host: str = "",
) -> checks.Finding:
    return checks.check_docker(
        answers=answers, client=client, daemon=daemon, root=root, debian=debian, host=host
    )


def test_docker_that_answers_is_fine_whoever_asks() -> None:
    assert docker(answers=True).level is Level.FINE


@pytest.mark.parametrize(
    ("finding", "level", "way_out"),
    [
        (docker(root=True, debian=True), Level.NOTE, "`make cluster` installs and starts one"),
        (docker(root=True, client=True, daemon=True), Level.NOTE, "installs and starts one"),
        (docker(client=True, daemon=True, debian=True), Level.FATAL, "usermod -aG docker"),
        (docker(root=True), Level.FATAL, "install it"),
        (docker(debian=True), Level.FATAL, "install it"),
        (docker(root=True, debian=True, host="tcp://x:1"), Level.FATAL, "unset DOCKER_HOST"),
    ],
)
def test_docker_that_does_not_answer_has_a_way_out(
    finding: checks.Finding, level: Level, way_out: str
) -> None:
    assert finding.level is level
    assert way_out in finding.text


@pytest.mark.parametrize(
    ("pulled", "root", "debian", "level"),
    [
        (True, False, False, Level.FINE),
        (False, True, True, Level.NOTE),
        (False, False, True, Level.FATAL),
        (False, True, False, Level.FATAL),
    ],
)
def test_images_are_pulled_or_built_by_root_on_debian(
    *, pulled: bool, root: bool, debian: bool, level: Level
) -> None:
    assert checks.check_rights(pulled=pulled, root=root, debian=debian).level is level


def test_disk_and_memory_that_are_short_say_how_much_is_needed() -> None:
    disk = checks.check_disk(3 * GIGABYTE, 45 * GIGABYTE, "/home/x/.cache")
    memory = checks.check_memory(2 * GIGABYTE, running=False)

    assert disk.fatal
    assert "/home/x/.cache has 3 GB free, a cluster needs 45 GB" in disk.text
    assert memory.fatal
    assert "2.0 GB of memory are free, a cluster needs 6 GB" in memory.text


def test_memory_that_the_running_cluster_has_taken_is_not_missing() -> None:
    assert checks.check_memory(1 * GIGABYTE, running=True).level is Level.FINE


def test_port_of_another_program_is_fatal_and_the_clusters_own_is_not() -> None:
    assert checks.check_port(8480, taken=True, ours=False).text == port_taken(8480)
    assert checks.check_port(8480, taken=True, ours=True).level is Level.FINE
    assert checks.check_port(8480, taken=False, ours=False).level is Level.FINE


@pytest.mark.parametrize(
    ("condition", "level", "way_out"),
    [
        (Condition.WHOLE, Level.FINE, "is up"),
        (Condition.NONE, Level.NOTE, "`make cluster` makes it"),
        (Condition.STOPPED, Level.FATAL, "`make cluster` starts them"),
        (Condition.HALF, Level.FATAL, "`make cluster` makes it anew"),
    ],
)
def test_every_condition_of_a_cluster_has_a_way_on(
    condition: Condition, level: Level, way_out: str
) -> None:
    finding = checks.check_cluster(condition, "holdfast")

    assert finding.level is level
    assert way_out in finding.text


@pytest.mark.parametrize(
    ("version", "level", "said"),
    [
        (None, Level.FATAL, "has no Dapr"),
        ("1.17.9", Level.FATAL, "Dapr is 1.17.9, Holdfast needs 1.18.0 or newer"),
        ("1.18.2", Level.FINE, "1.18.2"),
        ("v1.20.0", Level.FINE, "v1.20.0"),
        ("edge", Level.NOTE, "does not say its version"),
    ],
)
def test_dapr_is_there_and_new_enough(version: str | None, level: Level, said: str) -> None:
    finding = checks.check_dapr(version, "1.18.2", checks.HERE)

    assert finding.level is level
    assert said in finding.text


def test_older_crds_are_named_with_what_helm_does_not_do() -> None:
    finding = checks.check_crds(["configuration", "resiliency"], checks.HERE)

    assert finding.fatal
    assert "(configuration, resiliency)" in finding.text
    assert "Helm never changes them" in finding.text
    assert checks.check_crds([], checks.HERE).level is Level.FINE


@pytest.mark.parametrize(
    ("output", "way_out"),
    [
        ("Bind for 127.0.0.1:8480 failed: port is already allocated", "PORT="),
        ("write /var: no space left on device", "free 10 GB"),
        ('ERROR: failed to pull image "kindest/node"', "IMAGES=built"),
        ("OCI runtime create failed: unable to apply caps", "CAP_SYS_RESOURCE"),
        ("could not find a log line that matches", "run this again"),
        ("something new\nlast words", "last words"),
    ],
)
def test_what_kept_nodes_from_starting_is_said_in_one_line(output: str, way_out: str) -> None:
    said = explain_kind(output, 8480, Path("/x/cluster.log"))

    assert way_out in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("output", "way_out"),
    [
        ("another operation (install/upgrade/rollback) is in progress", "helm rollback Dapr"),
        ("Error: context deadline exceeded", "kubectl get pods -A"),
        ("values don't meet the specifications\n- replicas: Invalid type", "replicas: Invalid"),
        ("Error: last words", "last words"),
    ],
)
def test_what_kept_a_chart_from_being_installed_is_said_in_one_line(
    output: str, way_out: str
) -> None:
    said = explain_helm(output, "Dapr", Path("/x/cluster.log"))

    assert way_out in said
    assert "\n" not in said
