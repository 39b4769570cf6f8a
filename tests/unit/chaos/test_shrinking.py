"""Shrinking: what is left still fails, and nothing of it can be left out."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.schedule import Schedule, make_schedule, without
from holdfast_chaos.shrinking import shrink

MADE = make_schedule(5, list(KINDS.values()), faults=12, runs=60)
FAULTS = [fault.id for fault in MADE.faults]
RUNS = [run.name for run in MADE.runs]


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
