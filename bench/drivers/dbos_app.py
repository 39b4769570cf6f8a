"""Workflows and steps for DBOS: steps in the process of the workflow, or on a queue."""

from __future__ import annotations

import asyncio
import os
import signal

from dbos import DBOS, DBOSConfig

_QUEUE = "bench"


@DBOS.step()
async def add_one(value: int) -> int:
    """Add one."""
    return value + 1


@DBOS.step()
async def double(value: int) -> int:
    """Double."""
    return value * 2


@DBOS.step()
async def square(value: int) -> int:
    """Square."""
    return value**2


@DBOS.workflow()
async def chain(value: int) -> list[int]:
    """Run three steps here, each on the result of the one before."""
    first = await add_one(value)
    second = await double(first)
    return [first, second, await square(second)]


@DBOS.workflow()
async def fan_out(items: int) -> int:
    """Run a step for each item here."""
    return len(await asyncio.gather(*(square(index) for index in range(items))))


@DBOS.workflow()
async def add_one_queued(value: int) -> int:
    """Add one, in whatever process takes it from the queue."""
    return await add_one(value)


@DBOS.workflow()
async def double_queued(value: int) -> int:
    """Double."""
    return await double(value)


@DBOS.workflow()
async def square_queued(value: int) -> int:
    """Square."""
    return await square(value)


@DBOS.workflow()
async def chain_queued(value: int) -> list[int]:
    """Run three steps by way of the queue."""
    results = [value]
    for step in (add_one_queued, double_queued, square_queued):
        handle = await DBOS.enqueue_workflow_async(_QUEUE, step, results[-1])
        results.append(await handle.get_result())
    return results[1:]


@DBOS.workflow()
async def fan_out_queued(items: int) -> int:
    """Run a step for each item by way of the queue."""
    handles = [
        await DBOS.enqueue_workflow_async(_QUEUE, square_queued, index) for index in range(items)
    ]
    return len([await handle.get_result() for handle in handles])


@DBOS.workflow()
async def park() -> None:
    """Wait for a message."""
    await DBOS.recv_async("go", timeout_seconds=7 * 24 * 3600)


def launch() -> None:
    """Begin to work in this process."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": os.environ["BENCH_DATABASE_URL"],
        "application_version": "1",
        "executor_id": os.environ.get("BENCH_EXECUTOR", "driver"),
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(_QUEUE)


if __name__ == "__main__":
    launch()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    DBOS.destroy()
