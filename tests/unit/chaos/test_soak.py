"""A soak plays until its limit, forgets no failure, and says what grew."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from holdfast_chaos.campaign import Performance
from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.certificate import Certificate
from holdfast_chaos.schedule import make_schedule
from holdfast_chaos.soak import Limit, Soak, keep_playing
from holdfast_contracts.certificate import FAIL, PASS
from tests.support.waiting import eventually
from tests.unit.chaos.breaking import drop
from tests.unit.chaos.script import EPOCH, clean

RUNS = len(clean().runs)
EVERY_SECONDS = 0.01


def player(tmp_path: Path, *bad: int) -> Callable[[int], Performance]:
    """Return what plays one schedule after the other; those of the bad seeds lose an effect."""

    def play(number: int) -> Performance:
        schedule = make_schedule(number, list(KINDS.values()), faults=1, runs=4)
        broken = drop("effects", key="chain-1|0|step2|0")
        world = broken(clean()) if number in bad else clean()
        certificate = Certificate(world, number, "test", EPOCH, EPOCH)
        return Performance(schedule, certificate, certificate.write(tmp_path / str(number)))

    return play


def growing() -> Mapping[str, float]:
    return {"leak": float(next(_leak)), "steady": 100.0}


_leak = itertools.count(1_000, 1_000)


def soak(tmp_path: Path, limit: Limit, *bad: int) -> Soak:
    return keep_playing(player(tmp_path, *bad), limit, growing, EVERY_SECONDS, tmp_path / "soak")


@pytest.mark.parametrize(("runs", "schedules"), [(1, 1), (RUNS, 1), (RUNS + 1, 2)])
def test_it_ends_with_the_schedule_that_reaches_its_limit(
    tmp_path: Path, runs: int, schedules: int
) -> None:
    done = soak(tmp_path, Limit(hours=None, runs=runs))

    assert (done.runs, done.seeds) == (schedules * RUNS, list(range(schedules)))
    assert done.faults == schedules * len(clean().faults)
    assert done.passed


def test_one_that_may_last_no_time_ends_after_its_first_schedule(tmp_path: Path) -> None:
    assert soak(tmp_path, Limit(hours=1e-9, runs=None)).seeds == [0]


def test_a_failure_is_kept_whatever_passes_after_it(tmp_path: Path) -> None:
    done = soak(tmp_path, Limit(hours=None, runs=3 * RUNS), 1)
    written = json.loads((tmp_path / "soak" / "soak.json").read_text("utf-8"))

    assert not done.passed
    assert (written["verdict"], written["seeds"], written["failed"]) == (FAIL, [0, 1, 2], [1])


def test_what_was_found_so_far_is_written_after_each_schedule(tmp_path: Path) -> None:
    file = tmp_path / "soak" / "soak.json"
    play = player(tmp_path)

    def interrupted(number: int) -> Performance:
        if number == 1:
            raise KeyboardInterrupt
        return play(number)

    with pytest.raises(KeyboardInterrupt):
        keep_playing(
            interrupted, Limit(hours=1, runs=None), growing, EVERY_SECONDS, tmp_path / "soak"
        )

    written = json.loads(file.read_text("utf-8"))
    assert (written["verdict"], written["runs"]) == (PASS, RUNS)


def test_what_grows_is_told_from_what_does_not(tmp_path: Path) -> None:
    play = player(tmp_path)
    sizes = []

    def read() -> Mapping[str, float]:
        sizes.append(growing())
        return sizes[-1]

    def patient(number: int) -> Performance:
        eventually("sizes were read", lambda: len(sizes) >= 6)
        return play(number)

    done = keep_playing(patient, Limit(hours=None, runs=1), read, EVERY_SECONDS, tmp_path / "soak")
    growth = done.as_json()["growth"]

    assert growth["leak"]["last_bytes"] > growth["leak"]["first_bytes"]
    assert growth["leak"]["bytes_per_hour"] > 0
    assert (growth["steady"]["first_bytes"], growth["steady"]["last_bytes"]) == (100, 100)
    assert growth["steady"]["bytes_per_hour"] == 0
