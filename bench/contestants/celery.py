"""Celery's canvas on a Redis that syncs each write."""

from __future__ import annotations

import os
import subprocess
from typing import ClassVar

from bench.contestants.base import Contestant
from bench.ports import free_ports
from bench.processes import Driver, driver, until
from bench.redis import redis_server
from bench.venvs import python_of, version_of


class Celery(Contestant):
    """One worker with a process for each core; broker and results in one Redis."""

    name: ClassVar = "celery"
    title: ClassVar = "Celery canvas, Redis"
    durability: ClassVar = (
        "Redis with an append-only file, appendfsync always; late acknowledgement"
    )
    parks: ClassVar = False

    def prepare(self) -> None:
        """Get Redis, install Celery."""
        redis_server()
        python_of("celery")

    def start(self) -> Driver:
        """Start Redis, then the worker."""
        server = redis_server()
        port = free_ports(("redis",))["redis"]
        self.running.start(
            "redis",
            (
                *(server.path, "--bind", "127.0.0.1", "--port", str(port), "--save", ""),
                *("--appendonly", "yes", "--appendfsync", "always"),
                *("--dir", self.ground.folder / self.name),
            ),
            server.environment,
        )
        until(
            lambda: "ready to accept" in self.running.log("redis").read_text().lower(),
            seconds=30,
            what="Redis answers",
        )
        environment = {"BENCH_REDIS_URL": f"redis://127.0.0.1:{port}/0"}
        python = python_of("celery")
        self.running.start(
            "worker",
            (
                *(python, "-m", "celery", "-A", "bench.drivers.celery_app", "worker"),
                *("--loglevel", "warning", "--concurrency", str(os.cpu_count() or 1)),
                *("--without-gossip", "--without-mingle"),
            ),
            environment,
        )
        return driver(self.running, "celery", environment, python)

    def versions(self) -> dict[str, str]:
        """Name the versions."""
        server = redis_server()
        said = subprocess.run(
            [server.path, "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=dict(server.environment),
        ).stdout
        return {"Celery": version_of("celery", "celery"), "Redis": said.split("v=")[1].split()[0]}
