"""CPU time and memory are read from the control groups of this machine, as on a node."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.scaling.containers import (
    Container,
    Containers,
    MissingContainerError,
    highest,
    seconds,
    summed,
    working_set,
)
from holdfast_chaos.targets.nodes import NodeShells

HERE = Container("orchestrator", "node", "abc")


@pytest.fixture
def shells(tmp_path: Path) -> Iterator[NodeShells]:
    """Give a node whose only container is this process."""
    ctr = tmp_path / "ctr"
    ctr.write_text(
        "#!/bin/sh\necho 'TASK PID STATUS'\n"
        f"echo 'abc {os.getpid()} RUNNING'\necho 'gone 4194304 STOPPED'\n"
    )
    ctr.chmod(0o755)
    path = f"PATH={tmp_path}:{os.environ['PATH']}"
    shells = NodeShells(lambda _node: ["env", path, "sh"])
    yield shells
    shells.close()


def test_cpu_time_of_a_container_grows_as_its_group_works(shells: NodeShells) -> None:
    containers = Containers(shells, [HERE])
    before = containers.cpu_seconds()[HERE]

    # Works as a child of this process, so in its group.
    subprocess.run(
        [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True
    )

    assert 0.29 < containers.cpu_seconds()[HERE] - before < 60


def test_whole_node_has_used_no_less_than_its_containers(shells: NodeShells) -> None:
    containers = Containers(shells, [HERE])

    own = containers.cpu_seconds()[HERE]

    assert containers.node_seconds(["node"]) >= own > 0


def test_memory_of_a_container_is_read(shells: NodeShells) -> None:
    assert Containers(shells, [HERE]).memory_mib()[HERE] > 0


def test_container_that_does_not_run_on_its_node_is_told(shells: NodeShells) -> None:
    with pytest.raises(MissingContainerError, match="orchestrator is not on node"):
        Containers(shells, [Container("orchestrator", "node", "gone")])


@pytest.mark.parametrize(
    ("line", "expected"), [("usage_usec 1500000", 1.5), ("1500000000", 1.5), ("0", 0.0)]
)
def test_both_versions_of_control_groups_tell_the_same_time(line: str, expected: float) -> None:
    assert seconds(line) == pytest.approx(expected)


@pytest.mark.parametrize(
    "told",
    [
        "52428800\ninactive_file 10485760",
        "52428800\ninactive_file 0\ntotal_inactive_file 10485760",
        "52428800\ntotal_inactive_file 10485760\n",
    ],
)
def test_memory_is_what_is_used_less_what_could_go_at_once(told: str) -> None:
    assert working_set(told) == 40


def test_pods_of_a_component_are_added_up_and_the_busiest_is_known() -> None:
    used = {
        Container("scheduler", "a", "1"): 2.0,
        Container("scheduler", "b", "2"): 3.0,
        HERE: 1.0,
    }

    assert summed(used) == {"scheduler": 5.0, "orchestrator": 1.0}
    assert highest(used) == {"scheduler": 3.0, "orchestrator": 1.0}
