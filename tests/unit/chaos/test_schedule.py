"""Schedules: from one seed, saved and read again, and made smaller."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.schedule import (
    CORE,
    PATTERNS,
    Part,
    Schedule,
    ScheduleError,
    load,
    make_schedule,
    without,
)
from holdfast_chaos.world import Aim
from holdfast_contracts.core import EffectKey
from holdfast_contracts.request_escalation import REQUEST_ESCALATION

ALL = list(KINDS.values())


def schedule(seed: int = 1, faults: int = 24, runs: int = 120) -> Schedule:
    return make_schedule(seed, ALL, faults=faults, runs=runs)


def test_a_seed_gives_one_schedule_and_another_seed_another() -> None:
    assert schedule() == schedule()
    assert schedule(1) != schedule(2)


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_finds_a_chain_a_fan_out_and_a_saga(seed: int) -> None:
    made = schedule(seed)
    assert (len(made.faults), len(made.runs)) == (24, 120)
    for wave in made.waves:
        assert {run.workflow for run in wave.runs} >= set(CORE)
        assert wave.aimed in {run.name for run in wave.runs}


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_strikes_before_one_strikes_again(seed: int) -> None:
    counts = Counter(fault.kind for fault in schedule(seed).faults)
    assert counts.keys() == KINDS.keys()
    assert max(counts.values()) - min(counts.values()) <= 1


def test_ten_seeds_strike_with_every_kind_at_least_five_times_at_every_moment() -> None:
    faults = [fault for seed in range(1, 11) for fault in schedule(seed).faults]
    assert min(Counter(fault.kind for fault in faults).values()) >= 5
    assert {fault.aim for fault in faults} == set(Aim)


@pytest.mark.parametrize("seed", range(20))
def test_names_are_not_used_twice_and_make_keys_of_their_steps(seed: int) -> None:
    runs = schedule(seed).runs
    assert len({run.name for run in runs}) == len(runs)
    for run in runs:
        if run.step:
            key = EffectKey(run.name, 0, run.step, run.index)
            assert EffectKey.parse(str(key)) == key


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_can_be_narrowed_to_any_one(pattern: str) -> None:
    for seed in range(10):
        made = make_schedule(seed, ALL, faults=6, runs=18, patterns=[pattern])
        assert {run.workflow for run in made.runs} == {pattern}
        for wave in made.waves:
            aimed = next(run for run in wave.runs if run.name == wave.aimed)
            gated = wave.fault is not None and wave.fault.aim in {
                Aim.BEFORE_EFFECT,
                Aim.BEFORE_RETURN,
            }
            assert aimed.step or not gated


def test_a_saved_schedule_is_the_same_when_it_is_read(tmp_path: Path) -> None:
    made = schedule(7)
    made.save(tmp_path / "deep" / "schedule.json")
    assert load(tmp_path / "deep" / "schedule.json") == made


@pytest.mark.parametrize(
    ("text", "says"), [("{", "is no schedule"), ('{"seed": 1}', "waves: Field required")]
)
def test_what_is_no_schedule_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "schedule.json"
    file.write_text(text)
    with pytest.raises(ScheduleError, match=says):
        load(file)


def test_a_schedule_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="No such file"):
        load(tmp_path / "schedule.json")


def test_too_few_runs_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(ScheduleError, match="24 faults need at least 72 runs"):
        schedule(runs=71)


def test_an_unknown_pattern_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ScheduleError, match=r"nonsense.*task_chain"):
        make_schedule(1, ALL, faults=1, runs=9, patterns=["nonsense"])


def test_what_cannot_be_struck_here_leaves_nothing_to_schedule() -> None:
    with pytest.raises(ScheduleError, match="at least one fault"):
        make_schedule(1, [], faults=1, runs=9)


def test_without_a_fault_its_runs_stay_and_without_its_runs_the_wave_goes() -> None:
    made = schedule()
    first = made.waves[0]
    assert first.fault is not None
    less = without(made, faults=[first.fault.id])
    assert len(less.faults) == 23
    assert {run.name for run in less.runs} == {run.name for run in made.runs}
    gone = without(less, runs=[run.name for run in first.runs])
    assert len(gone.waves) == 23


def test_the_run_that_a_fault_is_aimed_at_stays_with_it() -> None:
    made = schedule()
    first = made.waves[0]
    less = without(made, runs=[run.name for run in first.runs])
    assert [run.name for run in less.waves[0].runs] == [first.aimed]


def test_an_order_that_lost_its_fault_is_approved_by_somebody_else() -> None:
    made, wave = next(
        (made, wave)
        for made in map(schedule, range(20))
        for wave in made.waves
        if wave.fault and wave.fault.aim is Aim.AFTER_EVENT
    )
    assert wave.fault is not None
    less = without(made, faults=[wave.fault.id])
    aimed = next(run for run in less.runs if run.name == wave.aimed)
    assert (aimed.workflow, aimed.part) == (REQUEST_ESCALATION.name, Part.APPROVE)
