"""A run that is aimed at comes to its moment, whoever is held beside it."""

from __future__ import annotations

import httpx
import pytest

from holdfast_chaos.aiming import Company, OneStep
from holdfast_chaos.world import Aim
from holdfast_contracts.core import EffectKey
from holdfast_local.stack import Stack
from tests.support.examples import TRIP
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def flight_of(run: str) -> EffectKey:
    return EffectKey(instance=run, epoch=0, step="book_flight", index=0)


def test_who_is_held_with_what_the_aimed_step_needs_is_let_go(
    stack: Stack, api: httpx.Client
) -> None:
    """Both want a seat of one flight, and the one that is held has its row."""
    url = stack.database_url
    first = OneStep(url, Aim.BEFORE_EFFECT, flight_of("held-first"))
    aimed = OneStep(url, Aim.BEFORE_RETURN, flight_of("aimed-at"))
    with Company("aimed-at", aimed, [first]) as company:
        start(api, "book_trip", TRIP, instance_id="held-first")
        eventually("the first has the seat's row", first.stands)
        start(api, "book_trip", TRIP, instance_id="aimed-at")
        held = company.wait(30)

    assert held is not None
    assert held.keys == (str(flight_of("aimed-at")),)
    for run in ("held-first", "aimed-at"):
        assert wait_for_end(api, run)["output"]["outcome"] == "booked"
