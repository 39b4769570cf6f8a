"""The HTTP server of every service: gunicorn, with everything made after the fork."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from holdfast_servicekit import metrics
from holdfast_servicekit.settings import ServiceSettings

GRACEFUL_TIMEOUT_SECONDS = 25
#: A process that was frozen for 30 s must not be killed before it wakes.
WORKER_TIMEOUT_SECONDS = 60


class _Server(BaseApplication):
    def __init__(self, factory: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._factory = factory
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._factory()


def serve(
    factory: Callable[[], Flask],
    settings: ServiceSettings,
    *,
    workers: int = 1,
    threads: int = 8,
    started: Callable[[Flask], None] | None = None,
    stopped: Callable[[Flask], None] | None = None,
) -> None:
    """Serve the app until a signal ends the process.

    ``factory`` runs in every worker process, after the fork: engines, channels and threads that
    it makes belong to that process. ``started`` runs when the worker is about to take requests,
    ``stopped`` when it has taken its last.
    """

    def post_worker_init(worker: Any) -> None:
        if started is not None:
            started(worker.app.callable)

    def worker_exit(_server: Any, worker: Any) -> None:
        app = getattr(worker.app, "callable", None)
        if stopped is not None and app is not None:
            stopped(app)

    def child_exit(_server: Any, worker: Any) -> None:
        metrics.forget_process(worker.pid)

    metrics.empty_multiproc_dir()
    sys.argv = sys.argv[:1]  # gunicorn would read our sub-command as its own argument
    _Server(
        factory,
        {
            "bind": f"{settings.host}:{settings.port}",
            "workers": workers,
            "threads": threads,
            # Room for as many idle connections as there are threads, and gunicorn's own 1000.
            "worker_connections": max(1000, 2 * threads),
            "worker_class": "gthread",
            "timeout": WORKER_TIMEOUT_SECONDS,
            "graceful_timeout": GRACEFUL_TIMEOUT_SECONDS,
            "keepalive": 30,
            "control_socket_disable": True,  # the root file system may be read-only
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - memory, not a disk that can stall
            "loglevel": "warning",
            "post_worker_init": post_worker_init,
            "worker_exit": worker_exit,
            "child_exit": child_exit,
        },
    ).run()
