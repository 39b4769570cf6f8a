"""A real PostgreSQL for tests that need the database and nothing else of a stack."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from secrets import token_hex

import psycopg

from holdfast_local import postgres
from holdfast_local.folders import StackFolder, repository
from holdfast_local.identity import Secrets

_START_SECONDS = 30.0


@dataclass(frozen=True)
class Database:
    """A running server with the project's roles and schemas, and nothing in them yet."""

    cluster: postgres.Cluster
    secrets: Secrets
    #: The process; a test may kill it.
    process: subprocess.Popen[bytes]

    def url(self, role: str) -> str:
        """Return the SQLAlchemy URL of ``owner``, ``worker``, ``status`` or ``postgres``."""
        user = role if role == postgres.SUPERUSER else f"holdfast_{role}"
        address = f"127.0.0.1:{self.cluster.port}/{postgres.DATABASE}"
        return f"postgresql+psycopg://{user}:{getattr(self.secrets, role)}@{address}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Return a session of the superuser, in autocommit."""
        conninfo = self.cluster.conninfo(self.secrets.postgres)
        return psycopg.connect(conninfo, autocommit=True)


@contextmanager
def running_database(folder: Path) -> Iterator[Database]:
    """Run a server on a free port until the block ends."""
    port = _free_port()
    secrets = Secrets(**{field.name: token_hex(16) for field in fields(Secrets)})
    stack = StackFolder(folder, "database")
    stack.create()
    cluster = postgres.prepare(stack, port, secrets.postgres)
    log = stack.log("postgres").open("wb")
    process = subprocess.Popen(
        cluster.command, user=cluster.account, extra_groups=[], cwd="/", stdout=log, stderr=log
    )
    try:
        postgres.wait_until_it_answers(cluster, secrets.postgres, seconds=_START_SECONDS)
        script = repository() / "components" / "postgresql" / "roles.sql"
        postgres.create_roles(cluster, script, secrets)
        yield Database(cluster, secrets, process)
    finally:
        process.send_signal(signal.SIGINT)  # fast: does not wait for sessions
        process.wait(timeout=_START_SECONDS)
        log.close()
        postgres.remove(stack)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
