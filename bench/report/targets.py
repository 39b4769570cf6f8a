"""What was aimed at, and where a run stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: The load at which throughputs are compared, by preference.
IN_FLIGHT = (32, 128, 8)


@dataclass(frozen=True)
class Target:
    """Holdfast's measure as a ratio to another's, and the bound on it."""

    what: str
    measure: str
    contestant: str
    bound: float
    #: Whether the ratio has to be above the bound or below it.
    side: Literal["at least", "at most"]


def _throughput(contestant: str, title: str, bound: float) -> Target:
    return Target(
        f"chain(3) runs/s against {title}", "chain_runs_per_s", contestant, bound, "at least"
    )


def _items(contestant: str, title: str, bound: float) -> Target:
    return Target(
        f"fan-out items/s against {title}", "fan_out_items_per_s", contestant, bound, "at least"
    )


RATIOS = (
    _throughput("temporal-dev", "Temporal's dev server", 6),
    _throughput("temporal-postgres", "Temporal on PostgreSQL", 3),
    _throughput("dbos-queued", "DBOS, queued", 10),
    _throughput("dbos", "DBOS in process", 1),
    _throughput("dapr-sample", "Dapr's sample shape", 1.3),
    _throughput("dapr-split", "the same without ledger and outbox", 0.8),
    Target(
        "chain(3) p50, one at a time, against Temporal's dev server",
        "chain_1_p50_ms",
        "temporal-dev",
        1 / 12,
        "at most",
    ),
    Target(
        "chain(3) p50, one at a time, against DBOS in process",
        "chain_1_p50_ms",
        "dbos",
        3,
        "at most",
    ),
    _items("temporal-dev", "Temporal's dev server", 6),
    _items("temporal-postgres", "Temporal on PostgreSQL", 6),
    _items("dbos-queued", "DBOS, queued", 3),
    _items("dapr-split", "our own flat form", 1.8),
)

#: Holdfast's own measures with a bound in their own unit.
BOUNDS = (
    ("recovery p99, worker process, s", "recovery_worker_p99_s", 3.0),
    ("recovery p99, orchestrator process, s", "recovery_orchestrator_p99_s", 3.0),
    ("recovery p99, worker's sidecar, s", "recovery_worker_sidecar_p99_s", 6.0),
    ("recovery p99, orchestrator's sidecar, s", "recovery_orchestrator_sidecar_p99_s", 6.0),
    ("recovery p99, all four, s", "recovery_all_four_p99_s", 8.0),
    (
        "status p99 of an ended run of 2,000 events, open loop, ms",
        "status_ended_2000_open_p99_ms",
        25.0,
    ),
    (
        "status p99 of a run in flight at 2,000 events, open loop, ms",
        "status_running_2000_open_p99_ms",
        25.0,
    ),
)
