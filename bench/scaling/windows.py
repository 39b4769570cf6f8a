"""What was measured on a cluster, as it is kept: every window of time, with all its counters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.scaling.plan import OUTSIDE, Deployment, Load

SCHEMA, VERSION = "holdfast.scaling", 1
#: Cores that somebody else may use more than usual before a window is not counted.
_DISTURBANCE = 0.2


@dataclass(frozen=True)
class Window:
    """A stretch of time under one load, with what every part did in it."""

    deployment: Deployment
    repeat: int
    load: Load
    #: How long it was, until the last run had ended.
    seconds: float
    #: Runs and activities that ended in it.
    runs: int
    steps: int
    latencies_ms: Mapping[str, float]
    #: Pods of each component.
    pods: Mapping[str, int]
    #: CPU seconds of each component, and of its busiest pod.
    cpu: Mapping[str, float]
    busiest: Mapping[str, float]
    #: What each counter of database and etcd grew by.
    counts: Mapping[str, float]
    #: CPU seconds of the whole machine, and what other machines on its host took from it.
    busy: float
    stolen: float
    load_average: float
    #: What a fixed piece of work took meanwhile, in ms of CPU: the pace of the machine. 0: unknown.
    pace_ms: float = 0.0

    @property
    def runs_per_s(self) -> float:
        """Throughput."""
        return self.runs / self.seconds

    @property
    def steps_per_s(self) -> float:
        """Activities a second."""
        return self.steps / self.seconds


@dataclass
class Measured:
    """A measurement."""

    #: When it began, in UTC, to the minute.
    began: str
    machine: dict[str, Any]
    versions: dict[str, str]
    #: What the charts say about each service.
    services: dict[str, dict[str, int]]
    windows: list[Window] = field(default_factory=list)
    #: The most memory that a pod of each component had, in MiB.
    memory_mib: dict[str, float] = field(default_factory=dict)
    #: Sizes and levels when all was done: bytes on disks, connections.
    levels: dict[str, float] = field(default_factory=dict)
    #: What could not be measured, and why.
    failures: list[str] = field(default_factory=list)
    minutes: float = 0.0

    @property
    def sound(self) -> list[Window]:
        """The windows that count: nobody else on the machine used much more than in the others."""
        usual = {
            load: median(_outside(one) for one in self.windows if one.load == load)
            for load in {window.load for window in self.windows}
        }
        return [one for one in self.windows if _outside(one) - usual[one.load] <= _DISTURBANCE]

    @property
    def cores(self) -> int:
        """How many the machine has."""
        return int(self.machine["cores"])

    def deployments(self) -> list[Deployment]:
        """Return the deployments that were measured, smallest first."""
        found = {window.deployment for window in self.sound}
        return sorted(found, key=lambda one: (one.orchestrators, one.workers))

    def at(self, deployment: Deployment, load: Load) -> list[Window]:
        """Return every sound repeat of a load on a deployment, in order."""
        return [one for one in self.sound if (one.deployment, one.load) == (deployment, load)]

    def disturbed(self, load: Load) -> list[Deployment]:
        """Return the deployments of which no window under a load is sound, smallest first."""
        found = {one.deployment for one in self.windows if one.load == load}
        found -= {one.deployment for one in self.sound if one.load == load}
        return sorted(found, key=lambda one: (one.orchestrators, one.workers))

    def write(self, path: Path) -> None:
        """Keep everything in a file."""
        told = {"schema": SCHEMA, "version": VERSION, **asdict(self)}
        path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Measured:
        """Return what a file keeps."""
        told = json.loads(path.read_text("utf-8"))
        if (told.pop("schema"), told.pop("version")) != (SCHEMA, VERSION):
            message = f"{path} is not {SCHEMA}, version {VERSION}"
            raise ValueError(message)
        windows = [
            Window(
                **{
                    **window,
                    "deployment": Deployment(**window["deployment"]),
                    "load": Load(**window["load"]),
                }
            )
            for window in told.pop("windows")
        ]
        return cls(**told, windows=windows)


def _outside(window: Window) -> float:
    return window.cpu.get(OUTSIDE, 0.0) / window.seconds
