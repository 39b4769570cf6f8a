"""The status API as a real process on a real PostgreSQL, with no sidecar in reach."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import URL
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from holdfast_local import postgres
from holdfast_local.folders import StackFolder, repository
from holdfast_local.identity import Secrets

_PASSWORDS = Secrets("superuser", "owner", "worker", "status", "dapr", "token")
_STOP_SECONDS = 30


def wait_until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Return the condition's first truthy value; fail when there is none in time."""
    return Retrying(
        retry=retry_if_not_result(bool), wait=wait_fixed(0.05), stop=stop_after_delay(seconds)
    )(condition)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Database:
    """A PostgreSQL server of our own, with Holdfast's roles and both services' schemas."""

    def __init__(self, root: Path) -> None:
        self._folder = StackFolder(root, "status-api-tests")
        self._folder.create()
        self.port = free_port()
        self._cluster = postgres.prepare(self._folder, self.port, _PASSWORDS.postgres)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers."""
        with self._folder.log("postgres").open("ab") as log:
            self._server = subprocess.Popen(
                self._cluster.command, cwd="/", user=self._cluster.account, stdout=log, stderr=log
            )
        postgres.wait_until_it_answers(self._cluster, _PASSWORDS.postgres, seconds=60)

    def create(self) -> None:
        """Make roles and schemas, with the services' own migrations."""
        script = repository() / "components" / "postgresql" / "roles.sql"
        postgres.create_roles(self._cluster, script, _PASSWORDS)
        for package in ("holdfast_activity_worker", "holdfast_status_api"):
            self.migrate(package)

    def migrate(self, package: str) -> None:
        """Run a service's ``migrate`` as the owner of the schemas."""
        environment = {
            "HOLDFAST_MIGRATION_DATABASE_URL": self.url("holdfast_owner", "owner"),
            "HOLDFAST_APP_ID": "migrate",
        }
        subprocess.run(
            [sys.executable, "-m", package, "migrate"], env=os.environ | environment, check=True
        )

    def crash(self) -> None:
        """Kill the server, as a power cut would."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(timeout=_STOP_SECONDS)
        self._server = None

    def remove(self) -> None:
        """End the server and delete its data."""
        self.crash()
        postgres.remove(self._folder)

    def url(self, user: str = postgres.SUPERUSER, password: str = _PASSWORDS.postgres) -> str:
        """Return the URL of the database for a role."""
        return URL.create(
            "postgresql+psycopg", user, password, "127.0.0.1", self.port, postgres.DATABASE
        ).render_as_string(hide_password=False)


class Service:
    """``python -m holdfast_status_api serve`` on a port of its own."""

    def __init__(
        self, database: Database, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self._environment = {
            "HOLDFAST_APP_ID": "status-api",
            "HOLDFAST_HOST": "127.0.0.1",
            "HOLDFAST_PORT": str(self.port),
            "HOLDFAST_DATABASE_URL": database.url("holdfast_status", "status"),
            # Nobody listens there: what is accepted has to wait.
            "DAPR_HTTP_PORT": str(free_port()),
            "PROMETHEUS_MULTIPROC_DIR": str(log.parent / f"metrics-{self.port}"),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "holdfast_status_api", "serve"],
                env=os.environ | self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, seconds=30)

    def stop(self) -> int:
        """Ask it to end; return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        status = self._process.wait(timeout=_STOP_SECONDS)
        self._process = None
        return status

    def kill(self) -> None:
        """Kill the process and its workers at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=_STOP_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).is_success
        except httpx.HTTPError:
            return False
