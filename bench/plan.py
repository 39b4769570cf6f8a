"""How much is measured: the whole, or what fits into a few minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """The sizes of a run."""

    repeats: int
    #: How long each load of chains lasts.
    seconds: float
    warm_up_seconds: float
    in_flight: tuple[int, ...]
    fan_outs: tuple[int, ...]
    #: A fan-out so large is measured in the first repeat only.
    once_from_items: int
    parked_runs: int
    #: Whose runs are parked, too, besides Holdfast's.
    parks_all: bool
    #: What is killed, by the names of `bench.recovery`, and how often each.
    kinds: tuple[str, ...]
    kills: int
    histories: tuple[int, ...]
    #: How often monitors look before their job is done.
    polls: tuple[int, ...]


FULL = Plan(
    repeats=5,
    seconds=5,
    warm_up_seconds=4,
    in_flight=(1, 8, 32, 128),
    fan_outs=(100, 1_000, 10_000),
    once_from_items=10_000,
    parked_runs=1_000,
    parks_all=True,
    kinds=(
        "worker",
        "orchestrator",
        "worker_sidecar",
        "orchestrator_sidecar",
        "all_four",
        "scheduler",
        "postgres",
    ),
    kills=3,
    histories=(10, 100, 500, 2_000),
    polls=(10, 100, 1_000),
)
QUICK = Plan(
    repeats=2,
    seconds=2,
    warm_up_seconds=3,
    in_flight=(1, 32),
    fan_outs=(100,),
    once_from_items=10_000,
    parked_runs=100,
    parks_all=False,
    kinds=("worker", "orchestrator_sidecar", "all_four"),
    kills=1,
    histories=(10, 100),
    polls=(5, 50),
)


def interleaved(contestants: Sequence[T], repeats: int) -> Iterator[tuple[int, T]]:
    """Yield repeat and contestant as A B, B A, A B, …: what drifts meets everybody alike."""
    for repeat in range(repeats):
        for contestant in contestants if repeat % 2 == 0 else reversed(contestants):
            yield repeat, contestant
