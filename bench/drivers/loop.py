"""The closed loop that every contestant is driven by: the same code, clock and work for all."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: More than any load has in flight: a client that blocks takes one of them for each run.
_THREADS = 160
#: A fan-out that takes longer is given up, and the report says so.
_LONGEST_SECONDS = 240


class Work(Protocol):
    """What a contestant can be asked to do; each call returns when the run has ended."""

    async def chain(self, value: int) -> list[int]:
        """Run three steps in order, each on the result of the one before: +1, x2, squared."""

    async def fan_out(self, items: int) -> int:
        """Run one step for each item, and return how many there were."""

    async def park(self) -> None:
        """Start a run that waits for an event, and return once it waits."""


async def in_a_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call what blocks without holding up the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def serve(make: Callable[[], Awaitable[Work]]) -> None:
    """Answer commands from standard input, one JSON object a line, until it is closed."""
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_serve(make, answers))
    answers.flush()
    os._exit(0)  # a library's threads may not end by themselves


async def _serve(make: Callable[[], Awaitable[Work]], answers: Any) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    work = await make()
    _answer(answers, {"ready": True})
    while line := await in_a_thread(sys.stdin.readline):
        command = json.loads(line)
        try:
            _answer(answers, await _obey(work, command))
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            traceback.print_exc()
            _answer(answers, {"error": repr(_first(error))})


def _first(error: BaseException) -> BaseException:
    """Return the first failure of a group of clients: the others are like it."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _answer(answers: Any, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


async def _obey(work: Work, command: dict[str, Any]) -> dict[str, Any]:
    match command:
        case {"do": "chains", "seconds": seconds, "in_flight": int(in_flight)}:
            return await _chains(work, float(seconds), in_flight)
        case {"do": "fan_out", "items": int(items)}:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    done = await work.fan_out(items)
            except TimeoutError:
                raise ValueError(f"it took longer than {_LONGEST_SECONDS} s") from None
            _expect(done, items)
            return {"seconds": time.perf_counter() - began}
        case {
            "do": "fan_outs",
            "seconds": seconds,
            "in_flight": int(in_flight),
            "items": int(items),
        }:
            return await _fan_outs(work, float(seconds), in_flight, items)
        case {"do": "park", "count": int(count), "in_flight": int(in_flight)}:
            await _repeat(iter(range(count)), in_flight, lambda _number: work.park())
            return {}
        case _:
            raise ValueError(f"no such command: {command}")


async def _chains(work: Work, seconds: float, in_flight: int) -> dict[str, Any]:
    """Keep so many chains in flight for a while, then let the last ones end: all of it counts."""

    async def one(number: int) -> None:
        result = await work.chain(number)
        first = number + 1
        _expect(list(result), [first, 2 * first, (2 * first) ** 2])

    return await _closed_loop(seconds, in_flight, one)


async def _fan_outs(work: Work, seconds: float, in_flight: int, items: int) -> dict[str, Any]:
    """Keep so many fan-outs of a size in flight for a while, in the same way."""

    async def one(_number: int) -> None:
        _expect(await work.fan_out(items), items)

    return await _closed_loop(seconds, in_flight, one)


async def _closed_loop(
    seconds: float, in_flight: int, act: Callable[[int], Awaitable[None]]
) -> dict[str, Any]:
    latencies: list[float] = []

    async def timed(number: int) -> None:
        started = time.perf_counter()
        await act(number)
        latencies.append((time.perf_counter() - started) * 1000)

    began = time.perf_counter()
    numbers = itertools.takewhile(
        lambda _number: time.perf_counter() - began < seconds, itertools.count()
    )
    await _repeat(numbers, in_flight, timed)
    return {"seconds": time.perf_counter() - began, "latencies_ms": latencies}


async def _repeat(
    numbers: Iterator[int], in_flight: int, act: Callable[[int], Awaitable[None]]
) -> None:
    async def client() -> None:
        for number in numbers:
            await act(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(client())


def _expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError(f"the result is {found!r}, not {wanted!r}")
