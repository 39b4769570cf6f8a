"""The costs that `make bench-scaling` measured and fitted, as they are kept in one file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

SCHEMA = "holdfast.capacity"
VERSION = 1
#: The file that comes with the command.
NAME = "coefficients.json"

ORCHESTRATOR, WORKER, STATUS_API = "orchestrator", "activity-worker", "status-api"
SERVICES = (ORCHESTRATOR, WORKER, STATUS_API)
SCHEDULER, PLACEMENT, DATABASE = "scheduler", "placement", "postgresql"
#: Everything that a deployment has to find CPU for.
PARTS = (*SERVICES, *(f"{name}-sidecar" for name in SERVICES), SCHEDULER, PLACEMENT, DATABASE)
COUNTS = (
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


class CoefficientsError(Exception):
    """A file holds no coefficients; the text says what is wrong with it."""


@dataclass(frozen=True)
class Cost:
    """What something costs: always, and for each run and each step of a run."""

    #: For each pod and second, whatever it does.
    idle: float
    run: float
    step: float

    def of_a_step(self, steps_per_run: float) -> float:
        """Return what a step costs with its share of its run."""
        return self.step + self.run / steps_per_run


@dataclass(frozen=True)
class Service:
    """What the charts say about one of the three services."""

    #: Processes of Python in a pod; one has never more than one core.
    processes: int
    replicas: int
    memory_request_mib: int
    memory_limit_mib: int
    #: Connections to the database, at most, of a pod and of its sidecar.
    connections: int
    sidecar_connections: int


@dataclass(frozen=True)
class Coefficients:
    """Everything that was measured and fitted, and what the charts say."""

    #: When, on what, up to which rate, and how far the model is off.
    measured: Mapping[str, Any]
    cpu: Mapping[str, Cost]
    #: Of the scheduler's members the busiest: adding members takes nothing off it.
    busiest_scheduler: Cost
    counts: Mapping[str, Cost]
    #: Pages that the database wrote for each step, all loads and runs together.
    database_pages_of_a_step: float
    #: The most that a pod's container was seen with.
    memory_mib: Mapping[str, float]
    services: Mapping[str, Service]

    @property
    def highest_rate(self) -> float:
        """The most activities a second that were seen."""
        return float(self.measured["activities_per_s"])


def packaged() -> Coefficients:
    """Return the coefficients that come with the command."""
    file = files(__package__).joinpath(NAME)
    if not file.is_file():
        raise CoefficientsError("nothing was measured yet")
    return parsed(file.read_text("utf-8"))


def parsed(text: str) -> Coefficients:
    """Return the coefficients in a text, or raise ``CoefficientsError``."""
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA or document["version"] != VERSION:
            raise CoefficientsError(f"it is not {SCHEMA}, version {VERSION}")
        found = Coefficients(
            measured=document["measured"],
            cpu={name: _cost(document["cpu"][name]) for name in PARTS},
            busiest_scheduler=_cost(document["busiest_scheduler"]),
            counts={name: _cost(document["counts"][name]) for name in COUNTS},
            database_pages_of_a_step=_number(document["database_pages_of_a_step"]),
            memory_mib={name: _number(size) for name, size in document["memory_mib"].items()},
            services={name: Service(**document["services"][name]) for name in SERVICES},
        )
        _number(found.measured["activities_per_s"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CoefficientsError(f"{type(error).__name__}: {error}") from None
    return found


def _cost(values: Mapping[str, Any]) -> Cost:
    return Cost(*(_number(values[name]) for name in ("idle", "run", "step")))


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        message = f"{value!r} is no cost"
        raise ValueError(message)
    return number
