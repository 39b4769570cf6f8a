"""Drive workflows in the shape of Dapr's samples, through the sidecar's own client."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from dapr.ext.workflow import DaprWorkflowClient

from bench.drivers.loop import in_a_thread, serve


class Dapr:
    """One client, as the samples have it; its calls block a thread each."""

    def __init__(self, client: DaprWorkflowClient) -> None:
        self._client = client

    async def chain(self, value: int) -> list[int]:
        """Run a chain to its end."""
        result: list[int] = await in_a_thread(self._run, "chain", value)
        return result

    async def fan_out(self, items: int) -> int:
        """Run a fan-out in one workflow."""
        return int(await in_a_thread(self._run, "fan_out", items))

    async def park(self) -> None:
        """Start a run that waits for an event."""
        await in_a_thread(self._park)

    def _start(self, name: str, value: int) -> str:
        run = f"{name}-{uuid.uuid4().hex}"
        return str(self._client.schedule_new_workflow(name, input=value, instance_id=run))

    def _run(self, name: str, value: int) -> Any:
        run = self._start(name, value)
        state = self._client.wait_for_workflow_completion(run, timeout_in_seconds=1800)
        if state is None or state.runtime_status.name != "COMPLETED":
            raise ValueError(f"{run}: {state}")
        return json.loads(state.serialized_output)

    def _park(self) -> None:
        self._client.wait_for_workflow_start(self._start("park", 0), timeout_in_seconds=60)


async def _make() -> Dapr:
    return Dapr(DaprWorkflowClient(host="127.0.0.1", port=os.environ["DAPR_GRPC_PORT"]))


if __name__ == "__main__":
    serve(_make)
