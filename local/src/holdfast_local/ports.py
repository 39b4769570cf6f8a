"""Ports on loopback that are free, stay the same, and belong to one stack."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock
from platformdirs import user_state_path

from holdfast_local import files
from holdfast_local.folders import StackFolder

#: Below the ports that Linux gives to outgoing connections, which come and go at any time.
_FIRST, _LAST = 18000, 32767

#: What each process listens on.
PORTS_OF: dict[str, tuple[str, ...]] = {
    "postgres": ("postgres",),
    "placement": (
        "placement",
        "placement-raft",
        "placement-healthz",
        "placement-metrics",
    ),
    "scheduler": (
        "scheduler",
        "scheduler-etcd-client",
        "scheduler-etcd-peer",
        "scheduler-healthz",
        "scheduler-metrics",
    ),
    **{
        name: tuple(f"{name}-{port}" for port in ("http", "grpc", "internal", "metrics"))
        for name in ("orchestrator-sidecar", "activity-worker-sidecar", "status-api-sidecar")
    },
    "orchestrator": ("orchestrator",),
    "activity-worker": ("activity-worker",),
    "status-api": ("status-api",),
}


def assign(folder: StackFolder, *, registry: Path | None = None) -> dict[str, int]:
    """Give the stack a port for every name, the same as last time wherever that one is free.

    Two stacks of one user never get the same port, also when both start at once or one of them is
    down: what a stack was given stays its own for as long as its folder exists.
    """
    path = registry or user_state_path("holdfast") / "ports.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=30):
        registered: dict[str, list[int]] = files.read_json(path) or {}
        others = {
            marker: ports
            for marker, ports in registered.items()
            if marker != folder.marker and Path(marker).is_dir()
        }
        taken = {port for ports in others.values() for port in ports}
        chosen = _choose(files.read_json(folder.ports) or {}, taken)
        files.write_json(folder.ports, chosen)
        files.write_json(path, {**others, folder.marker: sorted(chosen.values())})
    return chosen


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


def _choose(last: dict[str, int], taken: set[int]) -> dict[str, int]:
    names = [name for ports in PORTS_OF.values() for name in ports]
    kept = {
        name: port
        for name in names
        if (port := last.get(name)) is not None and port not in taken and is_free(port)
    }
    fresh = _free_ports({*taken, *kept.values()})
    return {name: kept.get(name) or next(fresh) for name in names}


def _free_ports(excluded: Iterable[int]) -> Iterator[int]:
    candidates = sorted(set(range(_FIRST, _LAST + 1)) - set(excluded))
    random.SystemRandom().shuffle(candidates)
    return (port for port in candidates if is_free(port))
