"""A whole campaign met all that it is to meet, and takes no certificate for another schedule's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from holdfast_chaos.campaign import (
    FAULTS,
    OFTEN_ENOUGH,
    RUNS,
    SCHEDULE,
    SEEDS,
    Performance,
    Sum,
    campaign,
)
from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.certificate import Certificate
from holdfast_chaos.coverage import KindCovered
from holdfast_chaos.play import Watcher
from holdfast_chaos.schedule import CORE, Schedule, make_schedule
from tests.unit.chaos.script import EPOCH, clean

BEGUN, STRUCK, ENDED = "2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z", "2026-01-01T12:00:02Z"


def written(
    seed: int,
    *,
    faults: int = FAULTS,
    kinds: Sequence[str] = tuple(KINDS),
    workflows: Sequence[str] = CORE,
    late: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a certificate whose faults found a run of each workflow but the late ones."""
    struck = list(islice(cycle(kinds), faults))
    return {
        **Certificate(clean(), seed, "test", EPOCH, EPOCH).as_json(),
        "faults": [{"kind": kind, "struck_at": STRUCK, "void": False} for kind in struck],
        "kinds": {kind: KindCovered(struck.count(kind)).as_json() for kind in set(struck)},
        "runs": [
            {
                "workflow": workflow,
                "started_at": ENDED if workflow in late else BEGUN,
                "ended_at": ENDED,
            }
            for workflow in islice(cycle(workflows), RUNS)
        ],
    }


def test_a_whole_campaign_passes_when_every_kind_met_the_core_often_enough() -> None:
    total = Sum([written(seed) for seed in range(1, SEEDS + 1)])
    assert total.whole
    assert total.passed
    found = total.as_json()["coverage"]
    assert min(found["met"].values()) >= OFTEN_ENOUGH
    assert (found["too_seldom"], found["not_struck"], found["core"]) == ({}, [], list(CORE))


@pytest.mark.parametrize("workflow", CORE)
def test_a_whole_campaign_fails_when_one_pattern_was_hardly_ever_under_way(workflow: str) -> None:
    good = OFTEN_ENOUGH - 1
    ones = [
        written(seed, kinds=["freeze"], late=[workflow] if seed > 1 else [], faults=faults)
        for seed, faults in ((1, good), (2, SEEDS * FAULTS - good))
    ]
    total = Sum([*ones, *(written(seed, faults=0) for seed in range(3, SEEDS + 1))])
    assert all(one["verdict"] == "pass" for one in total.certificates)
    assert total.too_seldom() == {"freeze": good}
    assert not total.passed
    assert total.as_json()["verdict"] == "fail"


def test_a_whole_campaign_fails_when_one_kind_struck_too_seldom() -> None:
    rare = written(1, kinds=[*["freeze"] * (OFTEN_ENOUGH - 1), *["kill-app"] * FAULTS])
    rest = [written(seed, kinds=["kill-app"]) for seed in range(2, SEEDS + 1)]
    assert Sum([rare, *rest]).too_seldom() == {"freeze": OFTEN_ENOUGH - 1}


def test_a_smaller_campaign_is_not_judged_by_what_it_met() -> None:
    total = Sum([written(seed, late=CORE) for seed in range(1, SEEDS)])
    assert not total.whole
    assert total.passed
    assert set(total.met().values()) == {0}


def test_patterns_that_were_left_out_are_not_wanted_and_kinds_are_named() -> None:
    ones = [
        written(seed, kinds=["freeze"], workflows=["task_chain"]) for seed in range(1, SEEDS + 1)
    ]
    total = Sum(ones)
    assert total.passed
    assert total.core() == ("task_chain",)
    assert total.as_json()["coverage"]["not_struck"] == [name for name in KINDS if name != "freeze"]


def test_one_certificate_that_failed_fails_the_campaign_and_so_does_none() -> None:
    good, bad = written(1), {**written(2), "verdict": "fail"}
    assert Sum([good]).passed
    assert not Sum([good, bad]).passed
    assert not Sum([]).passed


class Player:
    """Writes what a play writes; told to, it is interrupted halfway."""

    def __init__(self) -> None:
        self.played: list[Schedule] = []
        self.interrupted = False

    def __call__(self, schedule: Schedule, place: Path) -> Performance:
        schedule.save(place / SCHEDULE)
        if self.interrupted:
            raise KeyboardInterrupt
        self.played.append(schedule)
        certificate = Certificate(clean(), schedule.seed, "test", EPOCH, EPOCH)
        return Performance(schedule, certificate, certificate.write(place))


def schedules(faults: int = 2, runs: int = 8) -> list[Schedule]:
    return [make_schedule(n, list(KINDS.values()), faults=faults, runs=runs) for n in (1, 2)]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watcher(said: list[str]) -> Watcher:
    return Watcher(said.append)


def test_what_has_its_certificate_is_not_played_again(
    tmp_path: Path, watcher: Watcher, said: list[str]
) -> None:
    player = Player()
    campaign(schedules()[:1], player, tmp_path, watcher)
    total = campaign(schedules(), player, tmp_path, watcher)
    assert [schedule.seed for schedule in player.played] == [1, 2]
    assert said == ["seed 1: has its certificate already"]
    assert json.loads((tmp_path / "campaign.json").read_text("utf-8")) == total.as_json()
    assert total.as_json()["seeds"] == [1, 2]


@pytest.mark.parametrize(("faults", "runs"), [(1, 8), (2, 9)])
def test_a_certificate_of_another_size_is_not_taken(
    tmp_path: Path, watcher: Watcher, faults: int, runs: int
) -> None:
    player = Player()
    campaign(schedules(faults, runs), player, tmp_path, watcher)
    campaign(schedules(), player, tmp_path, watcher)
    assert player.played == [*schedules(faults, runs), *schedules()]


def test_an_older_certificate_is_not_taken_for_that_of_a_play_that_was_interrupted(
    tmp_path: Path, watcher: Watcher
) -> None:
    player = Player()
    campaign(schedules(1), player, tmp_path, watcher)
    player.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        campaign(schedules(), player, tmp_path, watcher)
    player.interrupted = False
    campaign(schedules(), player, tmp_path, watcher)
    assert player.played == [*schedules(1), *schedules()]


def test_a_certificate_without_its_schedule_is_not_taken(tmp_path: Path, watcher: Watcher) -> None:
    player = Player()
    campaign(schedules(), player, tmp_path, watcher)
    (tmp_path / "seed-1" / SCHEDULE).write_text("{", "utf-8")
    campaign(schedules(), player, tmp_path, watcher)
    assert [schedule.seed for schedule in player.played] == [1, 2, 1]


def test_certificates_that_do_not_say_what_was_witnessed_are_summed(
    tmp_path: Path, watcher: Watcher
) -> None:
    total = campaign(schedules(), Player(), tmp_path, watcher)
    for file in tmp_path.glob("seed-*/certificate.json"):
        certificate = json.loads(file.read_text("utf-8"))
        for fault in certificate["faults"]:
            del fault["witnessed"]
        file.write_text(json.dumps(certificate), "utf-8")
    assert Sum.read(tmp_path).as_json() == total.as_json()
