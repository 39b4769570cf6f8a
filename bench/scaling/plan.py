"""What is measured on a cluster: which numbers of pods, under which loads, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

#: The names of the loads.
IDLE, CHAINS, BATCHES = "idle", "chains", "batches"
#: Who drives the load; what of the nodes no component accounts for, which is Kubernetes itself; and
#: what is neither: the container engine, the kernel, and whoever else is on the machine.
CLIENT, REST, OUTSIDE = "client", "cluster", "outside"


@dataclass(frozen=True)
class Deployment:
    """So many pods of the two services that run workflows and activities."""

    orchestrators: int
    workers: int

    def __str__(self) -> str:
        return f"{self.orchestrators}+{self.workers}"


@dataclass(frozen=True)
class Load:
    """What a window of time is filled with."""

    what: str
    seconds: float
    in_flight: int = 0

    def __str__(self) -> str:
        return self.what if not self.in_flight else f"{self.what} {self.in_flight}"


@dataclass(frozen=True)
class Plan:
    """The sizes of a measurement."""

    deployments: tuple[Deployment, ...]
    repeats: int
    loads: tuple[Load, ...]
    warm_up: Load
    #: Legs of a batch: fewer than make child workflows, so that a batch is one run.
    legs: int
    #: No block begins that would end later than this.
    minutes: float

    @property
    def steps_of_a_batch(self) -> int:
        """How many activities it has: it is read, its legs are measured, its result is stored."""
        return self.legs + 2

    @property
    def full(self) -> Load:
        """The load at which deployments are compared: the most chains in flight."""
        chains = [load for load in self.loads if load.what == CHAINS]
        return max(chains, key=lambda load: load.in_flight)


PLAN = Plan(
    deployments=tuple(Deployment(*pods) for pods in ((1, 1), (1, 2), (2, 2), (3, 3), (2, 1))),
    repeats=3,
    loads=(Load(IDLE, 3), Load(CHAINS, 4, 1), Load(CHAINS, 11, 16), Load(BATCHES, 6, 4)),
    warm_up=Load(CHAINS, 3, 8),
    legs=30,
    minutes=11,
)
