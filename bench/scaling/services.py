"""What the charts say about the services, for whoever plans with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from holdfast_chaos.catalogue import ORCHESTRATOR, STATUS_API, WORKER
from holdfast_local.folders import repository

#: Connections that a process has besides those of its setting: docs/postgresql.md says for what.
_OF_BACKGROUND_THREADS = 8
_BESIDE_ACTIVITIES = 3


def services(root: Path | None = None) -> dict[str, dict[str, int]]:
    """Return processes, pods, memory and connections of each service, with its sidecar."""
    charts = (root or repository()) / "charts"
    values = {
        name: yaml.safe_load((charts / name / "values.yaml").read_text("utf-8"))
        for name in (ORCHESTRATOR, WORKER, STATUS_API)
    }
    whole = yaml.safe_load((charts / "holdfast" / "values.yaml").read_text("utf-8"))
    sidecar = whole["global"]["holdfast"]["dapr"]["stateStore"]["maxConnections"]
    api, worker = values[STATUS_API], values[WORKER]
    of_the_api = api["workers"] * (api["databaseConnections"] + _OF_BACKGROUND_THREADS)
    return {
        ORCHESTRATOR: _service(values[ORCHESTRATOR], 1, 0, sidecar),
        WORKER: _service(worker, 1, worker["activityThreads"] + _BESIDE_ACTIVITIES, sidecar),
        STATUS_API: _service(api, api["workers"], of_the_api, 0),
    }


def _service(
    values: dict[str, Any], processes: int, connections: int, sidecar: int
) -> dict[str, int]:
    own, beside = values["resources"], values["dapr"]["resources"]
    return {
        "processes": processes,
        "replicas": values["replicas"],
        "memory_request_mib": sum(mib(one["requests"]["memory"]) for one in (own, beside)),
        "memory_limit_mib": sum(mib(one["limits"]["memory"]) for one in (own, beside)),
        "connections": connections,
        "sidecar_connections": sidecar,
    }


def mib(quantity: str) -> int:
    """Return a quantity of memory in MiB."""
    match = re.fullmatch(r"(\d+)(Mi|Gi)", quantity)
    if match is None:
        message = f"{quantity!r} is no memory in Mi or Gi"
        raise ValueError(message)
    return int(match[1]) * (1024 if match[2] == "Gi" else 1)
