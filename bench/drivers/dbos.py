"""Drive DBOS: its workflows run in the process that starts them."""

from __future__ import annotations

import os

from dbos import DBOS

from bench.drivers import dbos_app
from bench.drivers.loop import in_a_thread, serve


class Dbos:
    """Workflows of this process, with their steps here or on a queue."""

    def __init__(self, *, queued: bool) -> None:
        self._chain = dbos_app.chain_queued if queued else dbos_app.chain
        self._fan_out = dbos_app.fan_out_queued if queued else dbos_app.fan_out

    async def chain(self, value: int) -> list[int]:
        """Run a chain to its end."""
        return await self._chain(value)

    async def fan_out(self, items: int) -> int:
        """Run a fan-out to its end."""
        return await self._fan_out(items)

    async def park(self) -> None:
        """Start a run that waits."""
        await DBOS.start_workflow_async(dbos_app.park)


async def _make() -> Dbos:
    await in_a_thread(dbos_app.launch)
    return Dbos(queued="BENCH_QUEUED" in os.environ)


if __name__ == "__main__":
    serve(_make)
