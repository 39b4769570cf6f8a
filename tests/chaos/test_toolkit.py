"""An exported experiment, run by the Chaos Toolkit itself on a real stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.schedule import Schedule, make_schedule
from holdfast_chaos.world import Aim
from holdfast_cluster.chaos.places import On, Place
from holdfast_cluster.chaos.toolkit import exported
from holdfast_contracts.certificate import FAIL, PASS
from holdfast_local.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture
def place(stack_name: str) -> Iterator[Place]:
    """A stack that the toolkit's own process makes, and takes down."""
    name = f"{stack_name}-toolkit"
    yield Place(On.LOCAL, stack=name)
    Stack(name).delete()


def run(schedule: Schedule, place: Place, folder: Path) -> dict[str, Any]:
    """Run the experiment of a schedule; return the toolkit's journal."""
    (folder / "experiment.json").write_text(json.dumps(exported(schedule, place)), "utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("chaos")), "run", "experiment.json"],
        cwd=folder,
        env={**os.environ, "HOLDFAST_CHAOS_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    journal: dict[str, Any] = json.loads((folder / "journal.json").read_text("utf-8"))
    journal["said"] = done.stdout + done.stderr
    return journal


def verdict(folder: Path) -> str:
    said: str = json.loads((folder / "certificate.json").read_text("utf-8"))["verdict"]
    return said


def test_toolkit_plays_the_schedule_and_finds_the_steady_state_again(
    place: Place, tmp_path: Path
) -> None:
    kinds = [KINDS["kill-app"], KINDS["kill-sidecar"]]
    journal = run(make_schedule(5, kinds, faults=2, runs=8), place, tmp_path)

    assert (journal["status"], journal["deviated"]) == ("completed", False), journal["said"]
    assert [one["status"] for one in journal["run"]] == ["succeeded"] * 2
    assert [one["output"]["void"] for one in journal["run"]] == [False] * 2
    assert [one["status"] for one in journal["rollbacks"]] == ["succeeded"]
    assert verdict(tmp_path) == PASS


def test_fault_whose_moment_never_comes_is_a_deviation_for_the_toolkit(
    place: Place, tmp_path: Path
) -> None:
    (wave,) = make_schedule(5, [KINDS["kill-app"]], faults=1, runs=4).waves
    assert wave.fault is not None
    aimed = replace(wave.fault, aim=Aim.BEFORE_EFFECT)
    runs = tuple(
        replace(run, step="nowhere") if run.name == wave.aimed else run for run in wave.runs
    )
    broken = Schedule(5, (replace(wave, fault=aimed, runs=runs),))
    journal = run(broken, place, tmp_path)

    assert journal["deviated"] is True, journal["said"]
    assert journal["run"][0]["output"]["void"] is True
    assert journal["steady_states"]["after"]["steady_state_met"] is False
    assert verdict(tmp_path) == FAIL
