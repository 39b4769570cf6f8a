"""Prometheus metrics that are right with one serving process or with several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Metric,
    generate_latest,
    multiprocess,
)
from prometheus_client.registry import Collector

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"


class _AllProcesses(multiprocess.MultiProcessCollector):
    """Leaves out a file that a process has just made: the library fails on one that is empty."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(self._path).glob("*.db") if _is_written(file)]
        metrics: Iterable[Metric] = self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]
        return metrics


def blueprint(*collectors: Collector) -> Blueprint:
    """Answer ``/metrics`` for all processes of the service together.

    ``collectors`` give what is the same in every process: whichever is asked exports it, once.
    """
    pages = Blueprint("metrics", __name__)

    @pages.get("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        if MULTIPROC_DIR in os.environ:
            _AllProcesses(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(REGISTRY)
        for collector in collectors:
            registry.register(collector)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return pages


def _is_written(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a process that has ended
        return False


def empty_multiproc_dir() -> None:
    """Drop what an earlier run left, before the first process of this run counts anything."""
    folder = os.environ.get(MULTIPROC_DIR)
    if folder is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    for file in Path(folder).glob("*.db"):
        file.unlink(missing_ok=True)


def forget_process(pid: int) -> None:
    """Take the gauges of a process that has ended out of the sum."""
    if MULTIPROC_DIR in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
