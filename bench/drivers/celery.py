"""Drive Celery: a canvas is sent, and its result looked for in Redis."""

from __future__ import annotations

import asyncio
from typing import Any

from celery import chain, chord

from bench.drivers.celery_app import add_one, count, double, square, square_item
from bench.drivers.loop import in_a_thread, serve

#: A client that waits in Celery's own way listens, and cannot do so in several threads at once.
_LOOK_SECONDS = 0.005


class Celery:
    """Sends canvases through one connection pool."""

    async def chain(self, value: int) -> list[int]:
        """Run a chain to its end."""
        canvas = chain(add_one.s([value]), double.s(), square.s())
        result: list[int] = (await _result(await in_a_thread(canvas.apply_async)))[1:]
        return result

    async def fan_out(self, items: int) -> int:
        """Run a fan-out to its end."""
        canvas = chord([square_item.s(index) for index in range(items)], count.s())
        return int(await _result(await in_a_thread(canvas.apply_async)))

    async def park(self) -> None:
        """Say that a canvas cannot wait for an event."""
        raise NotImplementedError("Celery has no run that waits for an event")


async def _result(pending: Any) -> Any:
    while not await in_a_thread(pending.ready):  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(_LOOK_SECONDS)
    return await in_a_thread(pending.get)


async def _make() -> Celery:
    return Celery()


if __name__ == "__main__":
    serve(_make)
