"""An exported schedule is an experiment by the Chaos Toolkit's own judgement, and says the same."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import InvalidActivity, InvalidExperiment
from chaoslib.experiment import ensure_experiment_is_valid

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.schedule import Schedule, ScheduleError, make_schedule, read_wave
from holdfast_cluster.chaos.places import Place
from holdfast_cluster.chaos.toolkit import exported
from tests.support.clone import ROOT


def schedule() -> Schedule:
    kinds = list(KINDS.values())
    return make_schedule(3, kinds, faults=len(kinds), runs=4 * len(kinds))


@pytest.fixture
def experiment() -> dict[str, Any]:
    """The experiment of every kind of fault, as it comes back from its file."""
    read: dict[str, Any] = json.loads(json.dumps(exported(schedule(), Place())))
    return read


def test_experiment_is_valid_for_the_toolkit(experiment: dict[str, Any]) -> None:
    ensure_experiment_is_valid(experiment)


def test_every_wave_is_an_action_that_carries_it_whole(experiment: dict[str, Any]) -> None:
    waves = [read_wave(one["provider"]["arguments"]["wave"]) for one in experiment["method"]]
    assert tuple(waves) == schedule().waves
    assert [one["provider"]["func"] for one in experiment["rollbacks"]] == ["put_back"]


def test_toolkit_would_notice_a_provider_that_does_not_fit(experiment: dict[str, Any]) -> None:
    changes: list[dict[str, Any]] = [
        {"func": "play_waves"},
        {"arguments": {}},
        {"module": "holdfast_nowhere"},
    ]
    for change in changes:
        broken = deepcopy(experiment)
        broken["method"][0]["provider"].update(change)
        with pytest.raises(InvalidActivity):
            ensure_experiment_is_valid(broken)
    del experiment["method"]
    with pytest.raises(InvalidExperiment):
        ensure_experiment_is_valid(experiment)


def test_experiment_of_a_workflow_of_ones_own_names_its_declaration() -> None:
    file = ROOT / "samples" / "chaos" / "book_trip.py"
    said = exported(schedule(), Place(), (file,))["configuration"]["holdfast_declare"]
    assert said == {"type": "env", "key": "HOLDFAST_CHAOS_DECLARE", "default": str(file)}


def test_what_is_no_wave_is_refused(experiment: dict[str, Any]) -> None:
    wave = experiment["method"][0]["provider"]["arguments"]["wave"]
    wave["fault"]["aim"] = "whenever"
    with pytest.raises(ScheduleError, match="aim"):
        read_wave(wave)


def test_saved_schedule_is_exported_and_validated_by_the_command_that_runs_it(
    tmp_path: Path,
) -> None:
    saved, target = tmp_path / "schedule.json", tmp_path / "out.json"
    schedule().save(saved)
    export = ("-m", "holdfast_cluster", "chaos", "export", "--schedule", saved, "--to", target)
    for command in ((sys.executable, *export), (_chaos(), "validate", target)):
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(target.read_text("utf-8"))["version"] == "1.0.0"


def test_what_is_no_schedule_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "schedule.json").write_text("{}", "utf-8")
    export = ("-m", "holdfast_cluster", "chaos", "export", "--schedule", "schedule.json")
    done = subprocess.run(
        [sys.executable, *export], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "schedule.json is no schedule" in done.stdout
    assert not (tmp_path / "experiment.json").exists()


def _chaos() -> Path:
    return Path(sys.executable).with_name("chaos")
