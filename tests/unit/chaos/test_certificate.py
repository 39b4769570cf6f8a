"""The certificate says what the checker found, and blames each fault for what it did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from holdfast_chaos.certificate import Certificate
from holdfast_chaos.timeline import close_up
from holdfast_chaos.world import World
from tests.unit.chaos.breaking import drop, fault
from tests.unit.chaos.script import EPOCH, clean


def certificate(world: World) -> Certificate:
    return Certificate(world, seed=7, target="test", started_at=EPOCH, finished_at=EPOCH)


def test_a_clean_world_passes_and_is_written_in_three_forms(tmp_path: Path) -> None:
    passed = certificate(clean())
    assert passed.verdict == "pass"
    assert all(path.stat().st_size for path in passed.write(tmp_path).values())


def test_a_missing_effect_a_void_fault_and_no_fault_at_all_each_fail() -> None:
    world = clean()
    missing = certificate(drop("effects", key="chain-1|0|step2|0")(world))
    assert (missing.verdict, missing.effects["missing"]) == ("fail", 1)
    assert certificate(fault(after=world.faults[0].before)(world)).verdict == "fail"
    assert certificate(replace(world, faults=())).verdict == "fail"


def test_an_interrupted_attempt_is_blamed_on_the_kill_that_cut_it_and_no_later_one() -> None:
    world = clean()
    (cut,) = [attempt for attempt in world.ledger.attempts if attempt.interrupted]
    first = replace(world.faults[0], id="first", struck_at=cut.started_at)
    later = replace(first, id="later", struck_at=world.ledger.effects[-1].committed_at)
    both = replace(world, faults=(first, later))
    found = close_up(both, first)
    assert found is not None
    assert (found.key, found.attempts) == (cut.key, 2)
    assert close_up(both, later) is None
