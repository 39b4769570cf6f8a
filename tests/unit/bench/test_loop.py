"""The closed loop: so many in flight, wrong results are no results."""

from __future__ import annotations

import asyncio

import pytest

from bench.drivers.loop import _obey


class Engine:
    """Runs chains in a moment, and remembers how many there were at once."""

    def __init__(self, *, wrong: bool = False) -> None:
        self.running = self.most = 0
        self._wrong = wrong

    async def chain(self, value: int) -> list[int]:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        first = value + 1
        return [first, first * 2, 0 if self._wrong else (first * 2) ** 2]

    async def fan_out(self, items: int) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        return items - self._wrong

    async def park(self) -> None:
        self.running += 1


def obey(engine: Engine, **command: object) -> dict[str, object]:
    return asyncio.run(_obey(engine, command))


def test_as_many_chains_are_in_flight_as_were_asked_for() -> None:
    engine = Engine()

    answer = obey(engine, do="chains", seconds=0.05, in_flight=7)

    assert engine.most == 7
    assert engine.running == 0
    assert isinstance(answer["latencies_ms"], list)
    assert len(answer["latencies_ms"]) >= 7


def test_a_chain_with_a_wrong_result_is_an_error() -> None:
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        obey(Engine(wrong=True), do="chains", seconds=0.01, in_flight=1)


def test_a_fan_out_that_lost_an_item_is_an_error() -> None:
    with pytest.raises(ValueError, match="the result is 9, not 10"):
        obey(Engine(wrong=True), do="fan_out", items=10)


def test_as_many_fan_outs_are_in_flight_as_were_asked_for_and_each_is_timed() -> None:
    engine = Engine()

    answer = obey(engine, do="fan_outs", seconds=0.05, in_flight=3, items=5)

    assert engine.most == 3
    assert isinstance(answer["latencies_ms"], list)
    assert len(answer["latencies_ms"]) >= 3


def test_fan_outs_that_lose_an_item_are_an_error() -> None:
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        obey(Engine(wrong=True), do="fan_outs", seconds=0.01, in_flight=1, items=5)


def test_as_many_runs_are_parked_as_were_asked_for() -> None:
    engine = Engine()

    obey(engine, do="park", count=5, in_flight=2)

    assert engine.running == 5
