"""A running Holdfast with all the ways in that a campaign needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from holdfast_chaos.engine import EngineReader
from holdfast_chaos.growth import Sizes
from holdfast_chaos.targets import Target
from holdfast_chaos.world import Bounds


class Jobs(Protocol):
    """Jobs for monitors to watch."""

    def begin(self, name: str) -> str:
        """Make a job that runs until it is ended; return the ID that a monitor takes."""

    def finish(self, name: str) -> None:
        """Let the job complete."""

    def delete(self, name: str) -> None:
        """Delete the job while it runs."""


@dataclass(frozen=True)
class Site:
    """Where schedules are played."""

    target: Target
    #: The ledger's database, as one who may lock its tables.
    database_url: str
    #: A client of the public API that may do all that the workload does.
    api: httpx.Client
    engine: EngineReader
    jobs: Jobs
    #: Returns the names of the jobs that Dapr's scheduler holds.
    scheduler_jobs: Callable[[], tuple[str, ...]]
    #: The legs of the sample batch.
    sample: tuple[tuple[str, str], ...]
    #: Returns memory and database sizes in bytes, by name.
    sizes: Sizes
    bounds: Bounds = field(default_factory=Bounds)
    #: How long a struck component may take to serve again.
    heal_seconds: float = 60.0
    #: Versions and settings for the certificate.
    about: Mapping[str, str] = field(default_factory=dict)
