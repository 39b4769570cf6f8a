"""The status API as a real process on a real PostgreSQL, with no sidecar in reach."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from holdfast_local import files, tokens
from holdfast_servicekit.sidecar import NO_TLS
from tests.support.postgres import Database, free_port, running_database
from tests.support.waiting import eventually

_STOP_SECONDS = 30


@contextmanager
def migrated_database(folder: Path) -> Iterator[Database]:
    """Run a server with the schemas of both services until the block ends."""
    with running_database(folder) as database:
        for package in ("holdfast_activity_worker", "holdfast_status_api"):
            migrate(database, package)
        yield database


def migrate(database: Database, package: str) -> None:
    """Run a service's ``migrate`` as the owner of the schemas."""
    environment = {
        "HOLDFAST_MIGRATION_DATABASE_URL": database.url("owner"),
        "HOLDFAST_APP_ID": "migrate",
    }
    subprocess.run(
        [sys.executable, "-m", package, "migrate"], env=os.environ | environment, check=True
    )


def crash(database: Database) -> None:
    """End the server at once, as a power cut would; its data has to be recovered."""
    database.stop(signal.SIGQUIT)


class Service:
    """``python -m holdfast_status_api serve`` on a port of its own."""

    def __init__(
        self, database: Database, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tokens = {role: secrets.token_urlsafe(32) for role in tokens.ROLES}
        self.tokens_file = folder / f"tokens-{self.port}.json"
        files.write_json(self.tokens_file, tokens.hashed(self.tokens))
        self._log = folder / f"status-api-{self.port}.log"
        self._environment = {
            "HOLDFAST_APP_ID": "status-api",
            "HOLDFAST_HOST": "127.0.0.1",
            "HOLDFAST_PORT": str(self.port),
            "HOLDFAST_DATABASE_URL": database.url("status"),
            # Nobody listens there: what is accepted has to wait.
            "DAPR_HTTP_PORT": str(free_port()),
            "HOLDFAST_TOKENS_FILE": str(self.tokens_file),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / f"metrics-{self.port}"),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def client(self, role: str | None = None) -> httpx.Client:
        """Return a client with the token of a role, or with each where it is needed."""
        auth: httpx.Auth = tokens.EveryRole(self.tokens)
        headers = {}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.tokens[role]}"
        return httpx.Client(
            base_url=self.url,
            auth=auth,
            headers=headers,
            timeout=30,
            trust_env=False,
            verify=NO_TLS,
        )

    def start(self) -> None:
        """Start it and return when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "holdfast_status_api", "serve"],
                env=os.environ | self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually("the status API answers", self._answers, seconds=30)

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
            return httpx.get(f"{self.url}/healthz", timeout=2, verify=NO_TLS).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running_service(
    database: Database, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Run one until the block ends; its log and its tokens are in the folder."""
    service = Service(database, folder, environment)
    try:
        service.start()
        yield service
    finally:
        service.stop()
