"""What one deployment needs for a rate, and which of its parts is full first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from holdfast_cli.capacity.coefficients import (
    DATABASE,
    SCHEDULER,
    SERVICES,
    Coefficients,
    Cost,
)

DAY = 86_400
#: A pod of each service more while an update rolls, and what operators and the server keep.
_SURGE = 1
_SCHEDULERS = 3
_RESERVED_CONNECTIONS = 8
#: Revisions that Dapr's chart keeps in etcd before it compacts (``etcdCompactionRetention``).
REVISIONS_KEPT = 1_000_000
#: Files of etcd's log that Dapr's chart keeps (``etcdMaxWals``), each of this size.
_LOG_FILES, _LOG_FILE_BYTES = 10, 64 * 2**20


@dataclass(frozen=True)
class Limits:
    """What one of a thing is taken to bear: assumed, never measured here."""

    #: Cores, and what may be written of its log, of one database.
    database_cores: float = 32
    database_wal_mb: float = 200
    database_connections: int = 2_000
    database_disk_tib: float = 16
    #: Cores of one member of the scheduler, and what its group commits in a second: a third of
    #: what etcd's own documentation gives for three members.
    scheduler_cores: float = 8
    etcd_commits: float = 10_000
    #: How busy what is planned for may be.
    busy: float = 0.7


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    #: Activities a second.
    rate: float
    steps_per_run: float = 3
    #: How long finished runs are kept, and for how long the ledger has to find room.
    retention_days: float = 30
    ledger_days: float = 365
    #: Pods of a service where they are given; else as many as it takes.
    pods: Mapping[str, int] | None = None

    def at(self, rate: float) -> Wish:
        """Return the same for another rate."""
        return Wish(rate, self.steps_per_run, self.retention_days, self.ledger_days, self.pods)


@dataclass(frozen=True)
class Pods:
    """The pods of one service."""

    count: int
    #: Cores that one uses at the wanted rate: the service itself, and its sidecar.
    cores: float
    sidecar_cores: float
    #: Activities a second at which the Python of all of them is full.
    full_at: float


@dataclass(frozen=True)
class Database:
    """What is asked of a PostgreSQL."""

    cores: float
    commits: float
    syncs: float
    pages: float
    wal_bytes: float
    connections: int
    connections_while_updating: int
    #: What is kept of finished runs, and what the ledger grows by, in bytes.
    retained_bytes: float
    ledger_bytes: float


@dataclass(frozen=True)
class Scheduler:
    """What is asked of a group of three schedulers."""

    cores: float
    busiest_cores: float
    commits: float
    syncs: float
    #: How soon a million revisions have come together, and what a member's disk holds by then.
    seconds_to_compaction: float
    disk_bytes: float
    log_bytes: float


def check(coefficients: Coefficients, wish: Wish, limits: Limits) -> None:
    """Raise ``ValueError`` for a wish that is none."""
    numbers = {"rate": wish.rate, "steps per run": wish.steps_per_run, **asdict(limits)}
    for what, number in numbers.items():
        if not math.isfinite(number) or number <= 0:
            raise ValueError(f"{what}: {number:g} is no number above 0")
    if limits.busy > 1:
        raise ValueError("nothing is busier than 1")
    for what, number in (("retention", wish.retention_days), ("ledger", wish.ledger_days)):
        if not math.isfinite(number) or number < 0:
            raise ValueError(f"{what}: {number:g} is no number of days")
    for name, service in coefficients.services.items():
        if coefficients.cpu[name].idle >= service.processes * limits.busy:
            raise ValueError(f"a {name} is busier than {limits.busy:g} with nothing to do")


def pods(coefficients: Coefficients, wish: Wish, limits: Limits, name: str) -> Pods:
    """Return how many pods of a service the rate takes, and what each has to do."""
    service, cost = coefficients.services[name], coefficients.cpu[name]
    side = coefficients.cpu[f"{name}-sidecar"]
    each = cost.of_a_step(wish.steps_per_run)
    given = (wish.pods or {}).get(name)
    wanted = math.ceil(wish.rate * each / (service.processes * limits.busy - cost.idle))
    count = given or max(service.replicas, wanted)
    return Pods(
        count=count,
        cores=wish.rate * each / count + cost.idle,
        sidecar_cores=wish.rate * side.of_a_step(wish.steps_per_run) / count + side.idle,
        full_at=_full_at(count * (service.processes - cost.idle), each),
    )


def database(coefficients: Coefficients, wish: Wish, counts: Mapping[str, int]) -> Database:
    """Return what the rate asks of the database, with so many pods of each service."""
    bytes_a_second = {
        schema: _a_second(coefficients, f"database_bytes_{schema}", wish)
        for schema in ("engine", "status", "ledger")
    }
    kept = bytes_a_second["engine"] + bytes_a_second["status"]
    return Database(
        cores=_of(coefficients.cpu[DATABASE], wish),
        commits=_a_second(coefficients, "database_commits", wish),
        syncs=_a_second(coefficients, "database_syncs", wish),
        pages=wish.rate * coefficients.database_pages_of_a_step,
        wal_bytes=_a_second(coefficients, "database_wal_bytes", wish),
        connections=connections(coefficients, counts),
        connections_while_updating=connections(
            coefficients, {name: count + _SURGE for name, count in counts.items()}
        ),
        retained_bytes=kept * wish.retention_days * DAY,
        ledger_bytes=bytes_a_second["ledger"] * wish.ledger_days * DAY,
    )


def connections(coefficients: Coefficients, counts: Mapping[str, int]) -> int:
    """Return how many connections so many pods have at most."""
    services = coefficients.services
    return _RESERVED_CONNECTIONS + sum(
        count * (services[name].connections + services[name].sidecar_connections)
        for name, count in counts.items()
    )


def scheduler(coefficients: Coefficients, wish: Wish) -> Scheduler:
    """Return what the rate asks of a group of schedulers."""
    revisions = _a_second(coefficients, "etcd_revisions", wish)
    of_a_revision = _a_second(coefficients, "etcd_bytes", wish) / revisions if revisions else 0.0
    return Scheduler(
        cores=_of(coefficients.cpu[SCHEDULER], wish, pods=_SCHEDULERS),
        busiest_cores=_of(coefficients.busiest_scheduler, wish),
        commits=_a_second(coefficients, "etcd_commits", wish),
        syncs=_a_second(coefficients, "etcd_syncs", wish),
        seconds_to_compaction=REVISIONS_KEPT / revisions if revisions else math.inf,
        # Twice: what is compacted is only free for new pages, and a snapshot is a copy.
        disk_bytes=2 * REVISIONS_KEPT * of_a_revision + _LOG_FILES * _LOG_FILE_BYTES,
        log_bytes=_a_second(coefficients, "etcd_log_bytes", wish),
    )


def ceilings(
    coefficients: Coefficients, wish: Wish, limits: Limits, found: Mapping[str, Pods]
) -> dict[str, float]:
    """Return for each part the rate at which it is full, the lowest first."""

    def most(cost: Cost, of: float) -> float:
        return _full_at(of - cost.idle, cost.of_a_step(wish.steps_per_run))

    full = {f"{name}: Python": found[name].full_at for name in SERVICES}
    full |= {
        "database: CPU": most(coefficients.cpu[DATABASE], limits.database_cores),
        "database: log": most(
            coefficients.counts["database_wal_bytes"], limits.database_wal_mb * 10**6
        ),
        "scheduler: CPU": most(coefficients.busiest_scheduler, limits.scheduler_cores),
        "scheduler: etcd": most(coefficients.counts["etcd_commits"], limits.etcd_commits),
    }
    return dict(sorted(full.items(), key=lambda item: item[1]))


def _full_at(left: float, each: float) -> float:
    return max(0.0, left) / each if each else math.inf


def _of(cost: Cost, wish: Wish, pods: int = 1) -> float:
    return wish.rate * cost.of_a_step(wish.steps_per_run) + cost.idle * pods


def _a_second(coefficients: Coefficients, name: str, wish: Wish) -> float:
    # What counts up when nothing runs is no part of it: a rate is asked about.
    return wish.rate * coefficients.counts[name].of_a_step(wish.steps_per_run)
