"""A plan as a document: every figure with its unit in its name, and where it comes from."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from holdfast_cli.capacity.coefficients import Coefficients
from holdfast_cli.capacity.shards import Plan

_MIB_OF_A_GIB = 1024
#: Millicores are asked for in steps of this.
_STEP = 10
Document = dict[str, Any]


def document(coefficients: Coefficients, plan: Plan) -> Document:
    """Return a plan for programs."""
    wish = plan.wish
    services = {name: _service(coefficients, plan, name) for name in plan.pods}
    return {
        "rate": wish.rate,
        "runs_per_s": _round(wish.rate / wish.steps_per_run),
        "steps_per_run": wish.steps_per_run,
        "basis": "extrapolated" if plan.extrapolated else "measured",
        "times_the_highest_measured_rate": _round(plan.times_measured),
        "measured": dict(coefficients.measured),
        "shards": plan.shards,
        "scheduler_groups": plan.scheduler_groups,
        "arithmetic": [str(bound) for bound in (*plan.databases, *plan.schedulers)],
        "of_each_shard": {
            "rate": _round(wish.rate / plan.shards),
            "services": services,
            "database": _database(plan),
            "full_at": {name: _round(rate) for name, rate in plan.ceilings.items()},
            "saturates_first": plan.first,
        },
        "of_each_scheduler_group": _scheduler(plan),
        "sum": _sum(plan, services),
        "fitted": "cores, commits, syncs, log, bytes and revisions: measured costs times the rate",
        "from_the_charts": "processes, memory and connections of a pod",
        "assumed": asdict(plan.limits),
    }


def _service(coefficients: Coefficients, plan: Plan, name: str) -> Document:
    pods, service = plan.pods[name], coefficients.services[name]
    busy = plan.limits.busy
    return {
        "pods": pods.count,
        "cores_of_a_pod": _round(pods.cores),
        "cores_of_its_sidecar": _round(pods.sidecar_cores),
        "cpu_request": _millicores(pods.cores / busy),
        "sidecar_cpu_request": _millicores(pods.sidecar_cores / busy),
        "memory_request_mib": service.memory_request_mib,
        "memory_limit_mib": service.memory_limit_mib,
    }


def _database(plan: Plan) -> Document:
    found, busy = plan.database, plan.limits.busy
    return {
        "cores": max(1, math.ceil(found.cores / busy)),
        "cores_used": _round(found.cores),
        "commits_per_s": _round(found.commits),
        "log_syncs_per_s": _round(found.syncs),
        "pages_per_s": _round(found.pages),
        "disk_writes_per_s": _round(found.syncs + found.pages),
        "log_mb_per_s": _round(found.wal_bytes / 10**6),
        "log_gb_per_day": _round(found.wal_bytes * 86_400 / 10**9),
        "connections": found.connections,
        "max_connections": found.connections_while_updating,
        "retained_gb": _round(found.retained_bytes / 10**9),
        "ledger_gb": _round(found.ledger_bytes / 10**9),
        "disk_gb": _round((found.retained_bytes + found.ledger_bytes) / busy / 10**9),
    }


def _scheduler(plan: Plan) -> Document:
    found, busy = plan.scheduler, plan.limits.busy
    return {
        "members": 3,
        "cores_of_the_busiest": _round(found.busiest_cores),
        "cpu_request": _millicores(found.busiest_cores / busy),
        "etcd_commits_per_s": _round(found.commits),
        "etcd_syncs_per_s": _round(found.syncs),
        "etcd_log_mb_per_s": _round(found.log_bytes / 10**6),
        "seconds_to_compaction": _round(found.seconds_to_compaction),
        "disk_gb_of_a_member": _round(found.disk_bytes / 10**9),
    }


def _sum(plan: Plan, services: Document) -> Document:
    pods = plan.shards * sum(one["pods"] for one in services.values())
    cores = plan.shards * (
        sum(
            one["pods"] * (one["cpu_request"] + one["sidecar_cpu_request"]) / 1000
            for one in services.values()
        )
        + plan.database.cores / plan.limits.busy
    )
    cores += plan.scheduler_groups * plan.scheduler.cores / plan.limits.busy
    memory = plan.shards * sum(one["pods"] * one["memory_request_mib"] for one in services.values())
    return {
        "pods_of_services": pods,
        "cores": _round(cores),
        "services_memory_gib": _round(memory / _MIB_OF_A_GIB),
        "databases": plan.shards,
        "namespaces": plan.shards,
        "scheduler_groups": plan.scheduler_groups,
    }


def _millicores(cores: float) -> int:
    return max(_STEP, math.ceil(cores * 1000 / _STEP) * _STEP)


def _round(value: float) -> float | None:
    """Keep three digits: more would say more than the model knows."""
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded.is_integer() else rounded
