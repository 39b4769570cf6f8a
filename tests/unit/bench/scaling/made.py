"""Measurements made of known costs, as a machine without noise would give them."""

from __future__ import annotations

from collections.abc import Callable

from bench.scaling.model import Cost
from bench.scaling.plan import BATCHES, CHAINS, CLIENT, IDLE, OUTSIDE, REST, Deployment, Load
from bench.scaling.services import services
from bench.scaling.windows import Measured, Window

CORES = 2
FULL = Load(CHAINS, 9, 32)
LOADS = (Load(IDLE, 4), Load(CHAINS, 5, 4), FULL, Load(BATCHES, 6, 4))
DEPLOYMENTS = tuple(Deployment(*pods) for pods in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 3)))
#: The share of the cores that a full load uses.
IN_USE = 0.9
STEPS = 3
_STEPS_OF_A_BATCH = 66
_COUNTED = (
    "database_commits",
    "database_syncs",
    "database_wal_bytes",
    "database_bytes_engine",
    "database_bytes_ledger",
    "database_bytes_status",
    "etcd_commits",
    "etcd_syncs",
    "etcd_revisions",
    "etcd_bytes",
    "etcd_log_bytes",
)

CPU = {
    "orchestrator": Cost(0.010, 0.003, 0.002),
    "orchestrator-sidecar": Cost(0.008, 0.002, 0.002),
    "activity-worker": Cost(0.012, 0.0, 0.003),
    "activity-worker-sidecar": Cost(0.008, 0.0, 0.001),
    "status-api": Cost(0.030, 0.008, 0.0),
    "status-api-sidecar": Cost(0.005, 0.0005, 0.0),
    "scheduler": Cost(0.020, 0.002, 0.002),
    "placement": Cost(0.004, 0.0, 0.0),
    "postgres": Cost(0.020, 0.003, 0.002),
    CLIENT: Cost(0.001, 0.001, 0.0),
    REST: Cost(0.200, 0.001, 0.001),
    OUTSIDE: Cost(0.050, 0.001, 0.0),
}
COUNTS = {name: Cost(1.0, 3.0, 100.0 + at) for at, name in enumerate(_COUNTED)}
COUNTS |= {"database_sync_seconds": Cost(0, 0.001, 0), "etcd_sync_seconds": Cost(0, 0.002, 0)}


def pods(deployment: Deployment) -> dict[str, int]:
    count = {
        "orchestrator": deployment.orchestrators,
        "activity-worker": deployment.workers,
        "status-api": 2,
    }
    count |= {f"{name}-sidecar": number for name, number in count.items()}
    return {**count, "scheduler": 3, "placement": 3, "postgres": 1}


def demand(deployment: Deployment, runs: float, steps: float) -> float:
    there = pods(deployment)
    return sum(
        cost.of(pods=there.get(name, 1), runs=runs, steps=steps) for name, cost in CPU.items()
    )


def rate(deployment: Deployment, load: Load) -> float:
    """Return the runs a second that the costs allow."""
    if load.what == IDLE:
        return 0.0
    steps = _STEPS_OF_A_BATCH if load.what == BATCHES else STEPS
    idle = demand(deployment, 0, 0)
    each = demand(deployment, 1, steps) - idle
    share = IN_USE if load in {FULL, LOADS[-1]} else 0.6
    return (share * CORES - idle) / each


def window(
    deployment: Deployment, load: Load, repeat: int = 0, noise: Callable[[], float] = lambda: 1.0
) -> Window:
    runs = rate(deployment, load)
    steps = runs * (_STEPS_OF_A_BATCH if load.what == BATCHES else STEPS)
    there, seconds = pods(deployment), 10.0
    cpu = {
        name: noise() * seconds * cost.of(pods=there.get(name, 1), runs=runs, steps=steps)
        for name, cost in CPU.items()
    }
    return Window(
        deployment=deployment,
        repeat=repeat,
        load=load,
        seconds=seconds,
        # Not rounded: what is counted here is exact, and so must be what is fitted.
        runs=runs * seconds,  # type: ignore[arg-type]
        steps=steps * seconds,  # type: ignore[arg-type]
        latencies_ms={"p50": 300.0, "p99": 700.0} if runs else {},
        pods=there,
        cpu=cpu,
        busiest={name: used / there.get(name, 1) for name, used in cpu.items()},
        counts={
            name: noise() * seconds * cost.of(pods=1, runs=runs, steps=steps)
            for name, cost in COUNTS.items()
        },
        busy=sum(cpu.values()),
        stolen=0.0,
        pace_ms=2.0,
        load_average=6.0,
    )


def measured(noise: Callable[[], float] = lambda: 1.0, repeats: int = 2) -> Measured:
    return Measured(
        began="2026-01-02T03:04+00:00",
        machine={
            "processor": "a processor",
            "cores": CORES,
            "memory_gib": 8.0,
            "load_before": 0.2,
        },
        versions={"Kubernetes": "v1.34.4", "Dapr": "1.18.2"},
        services=services(),
        windows=[
            window(deployment, load, repeat, noise)
            for repeat in range(repeats)
            for deployment in DEPLOYMENTS
            for load in LOADS
        ],
        memory_mib={"orchestrator": 120.0},
        levels={
            "database_pages_of_a_step": 0.5,
            "database_bytes": 5e7,
            "database_log_bytes": 3e8,
            "database_connections": 40,
            "etcd_database_bytes": 2e7,
        },
        minutes=9.5,
    )
