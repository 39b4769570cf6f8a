"""The verbs of a contestant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import psutil

from bench.ground import Ground
from bench.processes import BenchError, Driver, Processes


class Contestant(ABC):
    """A system that runs the same work as the others, on the same disk and database server."""

    #: What it is called in results.
    name: ClassVar[str]
    #: What it is called in text.
    title: ClassVar[str]
    #: How it keeps what it confirmed; equal to the others' in strength.
    durability: ClassVar[str]
    #: The largest fan-out that it is asked for: what it cannot do, or not in minutes,
    #: is left out, and said.
    most_items: ClassVar[int] = 10_000
    #: Whether a run of it can wait for an event.
    parks: ClassVar[bool] = True
    #: The most runs in flight that it is asked for.
    most_in_flight: ClassVar[int] = 128

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.running = Processes(ground.folder / self.name)
        self._driver: Driver | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Build, install and create what must be there before any clock runs; safe to repeat."""

    @abstractmethod
    def start(self) -> Driver:
        """Start all processes, and return a driver once work can be done."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Name the versions of what is measured."""

    def set_up(self) -> None:
        """Start, and be ready for the first run."""
        self._driver = self.start()

    @property
    def driver(self) -> Driver:
        """The client, while the contestant is up."""
        if self._driver is None:
            raise BenchError(f"{self.title} is not up")
        return self._driver

    def members(self) -> dict[str, list[psutil.Process]]:
        """Return the processes that do the work, by name, the database's among them."""
        return {**self.running.members(), **self.ground.members()}

    def tear_down(self) -> None:
        """End every process of it; the database server stays."""
        self._driver = None
        self.running.end()
