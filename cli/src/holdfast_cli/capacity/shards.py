"""How many databases and scheduler groups a rate takes, with the arithmetic.

A shard is a namespace with a Holdfast and a database of its own: a run lives in one shard from its
start to its end, and nothing is shared between two but the schedulers of their cluster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from holdfast_cli.capacity.coefficients import DATABASE, SERVICES, Coefficients
from holdfast_cli.capacity.demand import (
    Database,
    Limits,
    Pods,
    Scheduler,
    Wish,
    ceilings,
    check,
    connections,
    database,
    pods,
    scheduler,
)

_TIB = 2**40


@dataclass(frozen=True)
class Bound:
    """One thing of which a database, or a scheduler group, has only so much."""

    what: str
    #: What the whole rate asks for, and what one of them is taken to have.
    asked: float
    of_one: float
    unit: str
    #: Where the second number comes from.
    told: str

    @property
    def needed(self) -> int:
        """How many of them it takes; ``ValueError`` if one of them has nothing to give."""
        if not self.of_one > 0:
            raise ValueError(f"{self.what}: {self.of_one:g} {self.unit} is none")
        return max(1, math.ceil(self.asked / self.of_one))

    def __str__(self) -> str:
        one = f"{_number(self.of_one)} {self.unit} {self.told}"
        return f"{self.what}: {_number(self.asked)} {self.unit} / {one} = {self.needed}"


@dataclass(frozen=True)
class Plan:
    """What a rate needs."""

    wish: Wish
    limits: Limits
    #: Of the highest rate that was measured, how many times the wanted one is.
    times_measured: float
    databases: tuple[Bound, ...]
    schedulers: tuple[Bound, ...]
    shards: int
    scheduler_groups: int
    #: Of each shard.
    pods: dict[str, Pods]
    database: Database
    #: Of each scheduler group.
    scheduler: Scheduler
    #: Of each shard: the rate at which each part is full, the lowest first.
    ceilings: dict[str, float]

    @property
    def extrapolated(self) -> bool:
        """Whether the rate is beyond what was measured."""
        return self.times_measured > 1

    @property
    def first(self) -> str:
        """The part that is full first."""
        return next(iter(self.ceilings))


def plan(coefficients: Coefficients, wish: Wish, limits: Limits) -> Plan:
    """Return what a rate needs; raise ``ValueError`` for a wish that is none."""
    check(coefficients, wish, limits)
    databases = _databases(coefficients, wish, limits)
    schedulers = _schedulers(coefficients, wish, limits)
    groups = max(bound.needed for bound in schedulers)
    # Every group has as many namespaces as every other: one more would be too many for it.
    shards = groups * math.ceil(max(bound.needed for bound in databases) / groups)
    of_a_shard = wish.at(wish.rate / shards)
    found = {name: pods(coefficients, of_a_shard, limits, name) for name in SERVICES}
    counts = {name: one.count for name, one in found.items()}
    return Plan(
        wish=wish,
        limits=limits,
        times_measured=wish.rate / coefficients.highest_rate,
        databases=databases,
        schedulers=schedulers,
        shards=shards,
        scheduler_groups=groups,
        pods=found,
        database=database(coefficients, of_a_shard, counts),
        scheduler=scheduler(coefficients, wish.at(wish.rate / groups)),
        ceilings=ceilings(coefficients, of_a_shard, limits, found),
    )


def _databases(coefficients: Coefficients, wish: Wish, limits: Limits) -> tuple[Bound, ...]:
    """Compare what the whole rate asks of one database with what one is taken to bear."""
    found = {name: pods(coefficients, wish, limits, name).count for name in SERVICES}
    whole = database(coefficients, wish, found)
    idle = coefficients.cpu[DATABASE].idle
    busy = f"{limits.busy:g} of"
    return (
        Bound(
            "CPU of a database",
            whole.cores - idle,
            limits.database_cores * limits.busy - idle,
            "cores",
            f"({busy} {limits.database_cores:g}, less {idle:.2g} idle)",
        ),
        Bound(
            "log of a database",
            whole.wal_bytes / 10**6,
            limits.database_wal_mb * limits.busy,
            "MB/s",
            f"({busy} {limits.database_wal_mb:g})",
        ),
        Bound(
            "connections of a database",
            connections(coefficients, found),
            limits.database_connections,
            "connections",
            "(its max_connections)",
        ),
        Bound(
            "disk of a database",
            (whole.retained_bytes + whole.ledger_bytes) / _TIB,
            limits.database_disk_tib * limits.busy,
            "TiB",
            f"({busy} {limits.database_disk_tib:g}; runs of {wish.retention_days:g}"
            f" days, a ledger of {wish.ledger_days:g})",
        ),
    )


def _schedulers(coefficients: Coefficients, wish: Wish, limits: Limits) -> tuple[Bound, ...]:
    whole = scheduler(coefficients, wish)
    idle = coefficients.busiest_scheduler.idle
    busy = f"{limits.busy:g} of"
    return (
        Bound(
            "CPU of the busiest scheduler",
            whole.busiest_cores - idle,
            limits.scheduler_cores * limits.busy - idle,
            "cores",
            f"({busy} {limits.scheduler_cores:g}, less {idle:.2g} idle)",
        ),
        Bound(
            "etcd of a scheduler group",
            whole.commits,
            limits.etcd_commits * limits.busy,
            "commits/s",
            f"({busy} {limits.etcd_commits:g})",
        ),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
