"""A fault met a workflow if a run of it had been accepted and had not ended when it struck."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from holdfast_chaos.certificate import Certificate
from holdfast_chaos.coverage import met_together, workflows_under_way
from holdfast_chaos.world import World
from tests.unit.chaos.script import EPOCH, TICK, Script, clean


def world() -> World:
    """Return a chain that ended, then a trip, then a fan-out; a fault struck after all."""
    script = Script()
    script.chain("ended", 1)
    script.trip("between")
    script.batch("later", 3)
    script.strike(["activity-worker"], None)
    return script.world()


def struck(told: World, moment: datetime) -> World:
    """Let the one fault strike at another moment."""
    return replace(told, faults=(replace(told.faults[0], struck_at=moment),))


def ended_at(told: World, instance: str) -> datetime:
    moment = told.histories[instance].ended_at
    assert moment is not None
    return moment


def test_a_run_that_ended_and_one_that_was_not_accepted_yet_were_not_under_way() -> None:
    told = world()
    middle = told.ledger.effects_of["between"][1].committed_at
    [fault] = struck(told, middle).faults
    assert workflows_under_way(fault, told) == {"book_trip"}


def test_a_run_is_under_way_from_its_acceptance_until_its_end() -> None:
    told = world()
    accepted, over = told.observations.accepted_at["between"], ended_at(told, "between")
    for moment, there in (
        (accepted - TICK / 2, False),
        (accepted, True),
        (over - TICK / 2, True),
        (over, False),
    ):
        [fault] = struck(told, moment).faults
        assert ("book_trip" in workflows_under_way(fault, told)) is there, moment


def test_a_run_without_a_history_was_not_seen_to_end() -> None:
    told = world()
    unseen = replace(told, histories={})
    assert workflows_under_way(told.faults[0], unseen) == {
        "task_chain",
        "book_trip",
        "batch_processing",
    }


@pytest.mark.parametrize("workflow", ["task_chain", "batch_processing", "book_trip"])
def test_a_certificate_tells_the_same_as_the_world_that_it_is_of(workflow: str) -> None:
    told = clean()
    found = set()
    for effect in told.ledger.effects[::7]:
        moved = struck(told, effect.committed_at)
        written = Certificate(moved, 7, "test", EPOCH, EPOCH).as_json()
        under_way = workflow in workflows_under_way(moved.faults[0], moved)
        assert met_together(written, [workflow])["kill"] == under_way
        found.add(under_way)
    assert found == {True, False}


def test_a_fault_that_found_one_of_two_or_was_void_met_nothing() -> None:
    told = world()
    moved = struck(told, told.ledger.effects_of["between"][1].committed_at)

    def met(what: World, *workflows: str) -> int:
        return met_together(Certificate(what, 7, "test", EPOCH, EPOCH).as_json(), workflows)["kill"]

    assert met(moved, "book_trip") == 1
    assert met(moved, "book_trip", "task_chain") == 0
    [fault] = moved.faults
    void = replace(moved, faults=(replace(fault, after=fault.before),))
    assert met(void, "book_trip") == 0
