"""The machine that figures come from, and what its processes cost."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from holdfast_local.processes import memory


def describe(folder: Path) -> dict[str, Any]:
    """Describe processor, memory, disk and software, as far as a reader needs to compare."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    device = max(
        (part for part in psutil.disk_partitions() if str(folder).startswith(part.mountpoint)),
        key=lambda part: len(part.mountpoint),
        default=None,
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "file_system": device.fstype if device else "unknown",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu_seconds(members: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """Return the CPU time that each group of processes has used, ended children included."""
    return {name: sum(map(_seconds, group)) for name, group in members.items()}


def cpu_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what was used in between; a process that ended meanwhile never counts below zero."""
    return {name: max(0.0, after[name] - before.get(name, 0.0)) for name in after}


def megabytes(members: Mapping[str, Sequence[psutil.Process]]) -> float:
    """Return the memory of all processes, shared pages counted once, in MiB."""
    return sum(memory(group).pss for group in members.values()) / 2**20


def _seconds(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        own: float = times.user + times.system
        # The children of the leader that were waited for; live ones are members themselves.
        return own + float(times.children_user + times.children_system)
    return 0.0
