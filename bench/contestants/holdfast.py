"""Holdfast's local stack, all of it, as `make up` starts it."""

from __future__ import annotations

from typing import ClassVar

import psutil

from bench.contestants.base import Contestant
from bench.processes import Driver, driver
from holdfast_contracts.batch_processing import SAMPLE_LEGS
from holdfast_local import toolchain
from holdfast_local.identity import SERVICES
from holdfast_local.programs import INFRASTRUCTURE, SIDECARS
from holdfast_local.toolchain_sources import DAPR


class Holdfast(Contestant):
    """The three services with their sidecars; runs are accepted by the status API."""

    name: ClassVar = "holdfast"
    title: ClassVar = "Holdfast"
    durability: ClassVar = (
        "PostgreSQL with fsync and synchronous_commit on; the scheduler's etcd syncs each commit"
    )

    def prepare(self) -> None:
        """Build Dapr; the ground has laid the rest."""
        toolchain.ensure_dapr()

    def start(self) -> Driver:
        """Start what the ground has stopped."""
        stack = self.ground.stack
        for name in (*INFRASTRUCTURE, *SIDECARS, *SERVICES):
            stack.start(name)
        stack.wait_until_ready()
        return driver(
            self.running,
            "holdfast",
            {
                "BENCH_API_URL": stack.api_url,
                "BENCH_API_TOKEN": stack.token("admin"),
                "BENCH_SAMPLE_LEGS": str(SAMPLE_LEGS),
            },
        )

    def tear_down(self) -> None:
        """Stop all but PostgreSQL."""
        super().tear_down()
        for name in (*SERVICES, *SIDECARS, *INFRASTRUCTURE):
            self.ground.stack.stop(name)

    def members(self) -> dict[str, list[psutil.Process]]:
        """Return the stack's processes and the client."""
        return {**self.running.members(), **self.ground.stack_members()}

    def versions(self) -> dict[str, str]:
        """Name Dapr's version."""
        return {"Dapr": toolchain.toolchain_of(DAPR).version}
