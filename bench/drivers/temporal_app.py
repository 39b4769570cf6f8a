"""Workflows and activities for Temporal, each on a task queue of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

WORKFLOWS, ACTIVITIES = "bench-workflows", "bench-activities"
_TIMEOUT = timedelta(minutes=10)
#: Temporal lets a workflow have 2,000 activities open; its own samples split long before.
_WIDTH = 500


@activity.defn
async def add_one(value: int) -> int:
    """Add one."""
    return value + 1


@activity.defn
async def double(value: int) -> int:
    """Double."""
    return value * 2


@activity.defn
async def square(value: int) -> int:
    """Square."""
    return value**2


@workflow.defn
class Chain:
    """Three steps, each on the result of the one before."""

    @workflow.run
    async def run(self, value: int) -> list[int]:
        """Run them."""
        results = [value]
        for step in (add_one, double, square):
            result = await workflow.execute_activity(
                step, results[-1], task_queue=ACTIVITIES, start_to_close_timeout=_TIMEOUT
            )
            results.append(result)
        return results[1:]


@workflow.defn
class FanOut:
    """A step for each item, in children where there are many."""

    @workflow.run
    async def run(self, bounds: list[int]) -> int:
        """Return how many there were."""
        start, stop = bounds
        if stop - start > 2 * _WIDTH:
            parts = [
                workflow.execute_child_workflow(
                    FanOut.run, [low, min(low + _WIDTH, stop)], task_queue=WORKFLOWS
                )
                for low in range(start, stop, _WIDTH)
            ]
            return sum(await asyncio.gather(*parts))
        results = await asyncio.gather(
            *(
                workflow.execute_activity(
                    square, index, task_queue=ACTIVITIES, start_to_close_timeout=_TIMEOUT
                )
                for index in range(start, stop)
            )
        )
        return len(results)


@workflow.defn
class Park:
    """Wait for a signal."""

    def __init__(self) -> None:
        self._go = False

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.wait_condition(lambda: self._go)

    @workflow.signal
    def go(self) -> None:
        """End the wait."""
        self._go = True

    @workflow.query
    def waits(self) -> bool:
        """Say that it waits."""
        return not self._go


async def main(part: str) -> None:
    """Work until a signal."""
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    if part == "workflows":
        worker = Worker(
            client,
            task_queue=WORKFLOWS,
            workflows=[Chain, FanOut, Park],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
    else:
        worker = Worker(client, task_queue=ACTIVITIES, activities=[add_one, double, square])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with worker:
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
