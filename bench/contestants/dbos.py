"""DBOS on the same PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

from bench.contestants.base import Contestant
from bench.processes import Driver, driver
from bench.venvs import python_of, version_of


class DbosInProcess(Contestant):
    """Steps run in the process that starts the workflow: nothing is handed to anybody."""

    name: ClassVar = "dbos"
    title: ClassVar = "DBOS, steps in process"
    durability: ClassVar = "the same PostgreSQL, fsync and synchronous_commit on"
    queued: ClassVar[bool] = False

    def prepare(self) -> None:
        """Install it, make an empty database."""
        python_of("dbos")
        self.ground.fresh_database(self._database)

    @property
    def _database(self) -> str:
        return self.name.replace("-", "_")

    def start(self) -> Driver:
        """Start the process, and one more that takes from the queue."""
        environment = {"BENCH_DATABASE_URL": self.ground.url(self._database)}
        python = python_of("dbos")
        if self.queued:
            environment["BENCH_QUEUED"] = "1"
            self.running.start(
                "worker",
                (python, "-m", "bench.drivers.dbos_app"),
                {**environment, "BENCH_EXECUTOR": "worker"},
            )
        return driver(self.running, "dbos", environment, python)

    def versions(self) -> dict[str, str]:
        """Name the version."""
        return {"DBOS": version_of("dbos", "dbos")}


class DbosQueued(DbosInProcess):
    """Each step is a queue's entry, taken by either of two processes at the default poll of 1 s."""

    name: ClassVar = "dbos-queued"
    title: ClassVar = "DBOS, steps on a queue"
    queued: ClassVar = True
    #: It parks as in process.
    parks: ClassVar = False
