"""Trends of sizes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from holdfast_chaos.growth import Samples, sampling
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_line_has_its_slope_and_a_flat_one_none() -> None:
    samples = Samples()
    for minute in range(31):
        moment = NOON + timedelta(minutes=minute)
        samples.add({"grows": 1000.0 + 10 * minute, "stays": 7.0}, moment)
    grows, stays = samples.trends()
    assert (grows.name, grows.samples) == ("grows", 31)
    assert grows.per_hour == pytest.approx(600.0)
    assert (grows.first, grows.last) == (1045.0, 1255.0)
    assert stays.per_hour == pytest.approx(0.0)


def test_two_samples_are_no_trend() -> None:
    samples = Samples()
    for minute in range(2):
        samples.add({"one": 5.0}, NOON + timedelta(minutes=minute))
    assert samples.trends()[0].per_hour is None


def test_a_read_that_fails_is_counted_and_the_next_one_is_made() -> None:
    reads, third = [0], threading.Event()

    def sizes() -> Mapping[str, float]:
        reads[0] += 1
        if reads[0] == 1:
            raise ConnectionError
        if reads[0] == 3:
            third.set()
        return {"one": float(reads[0])}

    with sampling(sizes, 0.001) as samples:
        eventually("three reads were made", third.is_set, seconds=10)
    assert samples.missed == 1
    assert [value for _, value in samples.points["one"]][:2] == [2.0, 3.0]
