"""Shrinking: what is left still fails, and nothing of it can be left out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from holdfast_chaos import campaign
from holdfast_chaos.campaign import SHRUNK, Performance, shrunk
from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.certificate import Certificate
from holdfast_chaos.play import Watcher
from holdfast_chaos.schedule import Schedule, load, make_schedule, without
from holdfast_chaos.shrinking import shrink
from holdfast_chaos.site import Site
from holdfast_chaos.world import World
from holdfast_cluster.chaos import cli
from tests.unit.chaos.breaking import drop
from tests.unit.chaos.script import EPOCH, Script

MADE = make_schedule(5, list(KINDS.values()), faults=12, runs=60)
FAULTS = [fault.id for fault in MADE.faults]
RUNS = [run.name for run in MADE.runs]
#: One fault, and many runs that it has nothing to do with.
SINGLE = make_schedule(5, list(KINDS.values()), faults=1, runs=30)
(AIMED,) = (wave.aimed for wave in SINGLE.waves if wave.fault is not None)
OTHER = next(run.name for run in SINGLE.runs if run.name != AIMED)

SITE = cast(
    "Site",
    SimpleNamespace(target=SimpleNamespace(name="test"), refuse=lambda _plans: None, lasts=False),
)


@dataclass
class Plays:
    """Stands in for `perform`: a schedule comes to the world that the function returns."""

    outcome: Callable[[Schedule], World]
    tried: list[Schedule] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def perform(
        self,
        schedule: Schedule,
        site: Site,
        folder: Path,
        _watcher: Watcher,
        name: str = "certificate",
    ) -> Performance:
        self.tried.append(schedule)
        self.names.append(name)
        certificate = Certificate(
            self.outcome(schedule),
            seed=schedule.seed,
            target=site.target.name,
            started_at=EPOCH,
            finished_at=EPOCH,
        )
        return Performance(schedule, certificate, {"html": folder / f"{name}.html"})


def nothing_wrong() -> World:
    script = Script()
    script.chain("chain", 1)
    return script.world()


def effect_lost() -> World:
    return drop("effects", key="chain|0|step2|0")(nothing_wrong())


def request_lost() -> World:
    return drop("requests", instance="chain")(nothing_wrong())


def effect_lost_with_the_other(schedule: Schedule) -> World:
    there = OTHER in {run.name for run in schedule.runs}
    return effect_lost() if there else nothing_wrong()


def shrink_by_plays(
    plays: Plays, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 60
) -> Schedule:
    """Shrink what failed, and check that what is returned is also what was saved."""
    monkeypatch.setattr(campaign, "perform", plays.perform)
    failed = Plays(lambda _schedule: effect_lost()).perform(SINGLE, SITE, folder, Watcher())
    small = shrunk(failed, SITE, folder, Watcher(), seconds)
    assert load(folder / SHRUNK) == small
    return small


def _always() -> bool:
    return True


@settings(deadline=None)
@given(
    faults=st.sets(st.sampled_from(FAULTS), min_size=1, max_size=3),
    runs=st.sets(st.sampled_from(RUNS), max_size=3),
)
def test_what_is_left_is_what_is_needed(faults: set[str], runs: set[str]) -> None:
    def fails(candidate: Schedule) -> bool:
        there = {fault.id for fault in candidate.faults}
        started = {run.name for run in candidate.runs}
        return faults <= there and runs <= started

    small = shrink(MADE, fails, may_go_on=_always)
    assert {fault.id for fault in small.faults} == faults
    aimed = {wave.aimed for wave in small.waves if wave.fault is not None}
    started = {run.name for run in small.runs}
    assert runs <= started
    assert len(started - aimed - runs) <= 1  # one is left where any one will do
    assert fails(small)


@pytest.mark.parametrize(("one", "other"), list(combinations(FAULTS[:4], 2)))
def test_either_of_two_faults_is_enough(one: str, other: str) -> None:
    def fails(candidate: Schedule) -> bool:
        return bool({one, other} & {fault.id for fault in candidate.faults})

    assert len(shrink(MADE, fails, may_go_on=_always).faults) == 1


def test_when_time_is_up_the_smallest_that_was_seen_to_fail_is_returned() -> None:
    tried: list[Schedule] = []

    def fails(candidate: Schedule) -> bool:
        tried.append(candidate)
        return True

    small = shrink(MADE, fails, may_go_on=lambda: len(tried) < 1)
    assert small == tried[-1] != MADE


def test_what_fails_only_whole_stays_whole() -> None:
    assert shrink(MADE, lambda some: some == MADE, may_go_on=_always) == without(MADE)


def test_a_schedule_of_one_fault_is_played_with_fewer_runs_until_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = Plays(effect_lost_with_the_other)
    small = shrink_by_plays(plays, tmp_path, monkeypatch)
    assert {run.name for run in small.runs} == {AIMED, OTHER}
    assert len(small.faults) == 1
    assert set(plays.names) == {"shrinking"}  # the certificate of what failed stays as it is


def test_a_try_that_fails_in_another_invariant_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = Plays(lambda _schedule: request_lost())
    assert shrink_by_plays(plays, tmp_path, monkeypatch) == without(SINGLE)
    assert plays.tried


def test_nothing_is_played_when_there_is_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = Plays(effect_lost_with_the_other)
    assert shrink_by_plays(plays, tmp_path, monkeypatch, seconds=0) == without(SINGLE)
    assert not plays.tried


@pytest.mark.parametrize(("option", "left"), [((), 2), (("--shrink", "0"), None)])
def test_the_command_shrinks_what_fails_also_with_one_fault(
    option: tuple[str, ...], left: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = Plays(effect_lost_with_the_other)
    monkeypatch.setattr(campaign, "perform", plays.perform)
    monkeypatch.setattr(cli, "perform", plays.perform)
    monkeypatch.setattr(cli, "repository", lambda: tmp_path)
    monkeypatch.setattr(cli, "_site", lambda _place: nullcontext(SITE))
    SINGLE.save(tmp_path / "single.json")
    command = ["run", "--schedule", str(tmp_path / "single.json"), *option]
    result = CliRunner().invoke(cli.app, command, obj=SimpleNamespace(name="test"))
    assert result.exit_code == 1, result.output
    saved = tmp_path / ".run" / "chaos" / SHRUNK
    assert (len(load(saved).runs) if saved.exists() else None) == left
