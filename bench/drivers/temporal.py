"""Drive Temporal through the client of its Python SDK."""

from __future__ import annotations

import os
import uuid

from temporalio.client import Client

from bench.drivers.loop import serve
from bench.drivers.temporal_app import WORKFLOWS, Chain, FanOut, Park


class Temporal:
    """One client; all its calls share a connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def chain(self, value: int) -> list[int]:
        """Run a chain to its end."""
        return await self._client.execute_workflow(
            Chain.run, value, id=uuid.uuid4().hex, task_queue=WORKFLOWS
        )

    async def fan_out(self, items: int) -> int:
        """Run a fan-out to its end."""
        return await self._client.execute_workflow(
            FanOut.run, [0, items], id=uuid.uuid4().hex, task_queue=WORKFLOWS
        )

    async def park(self) -> None:
        """Start a run that waits, and return once it does."""
        handle = await self._client.start_workflow(
            Park.run, id=uuid.uuid4().hex, task_queue=WORKFLOWS
        )
        await handle.query(Park.waits)


async def _make() -> Temporal:
    return Temporal(await Client.connect(os.environ["TEMPORAL_ADDRESS"]))


if __name__ == "__main__":
    serve(_make)
