"""A real PostgreSQL for tests that need the database and nothing else of a stack."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from secrets import token_hex

import psycopg
from psycopg import sql

from holdfast_local import postgres
from holdfast_local.folders import StackFolder, repository
from holdfast_local.identity import Secrets

_START_SECONDS = 30.0


@dataclass
class Database:
    """A database on a server of the tests' own."""

    cluster: postgres.Cluster
    secrets: Secrets
    log: Path
    process: subprocess.Popen[bytes] | None = None
    name: str = postgres.DATABASE

    def start(self) -> None:
        """Start the server and return when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.cluster.command,
                user=self.cluster.account,
                extra_groups=[],
                cwd="/",
                stdout=log,
                stderr=log,
            )
        postgres.wait_until_it_answers(self.cluster, self.secrets.postgres, seconds=_START_SECONDS)

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """End the server; by default fast, which does not wait for sessions."""
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait(timeout=_START_SECONDS)
            self.process = None

    def url(self, role: str, name: str | None = None) -> str:
        """Return the SQLAlchemy URL of ``owner``, ``worker``, ``status`` or ``postgres``."""
        user = role if role == postgres.SUPERUSER else f"holdfast_{role}"
        address = f"127.0.0.1:{self.cluster.port}/{name or self.name}"
        return f"postgresql+psycopg://{user}:{getattr(self.secrets, role)}@{address}"

    def create(self, name: str) -> None:
        """Make one more database, with the schemas that the owner's migrations need."""
        with self.connect() as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with self.connect(name) as fresh:
            for schema in ("work", "ledger", "status"):
                fresh.execute(f"CREATE SCHEMA {schema} AUTHORIZATION holdfast_owner".encode())
                fresh.execute(f"GRANT USAGE ON SCHEMA {schema} TO holdfast_worker".encode())

    @contextmanager
    def copied(self) -> Iterator[Database]:
        """Give a copy of it, on the same server, until the block ends; nobody may be using it."""
        copy = replace(self, name=f"{self.name}_{token_hex(4)}")
        names = {"copy": sql.Identifier(copy.name), "original": sql.Identifier(self.name)}
        with self.connect("postgres") as server:
            server.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {original}").format(**names))
            # The rights to connect are the one thing that is not copied.
            server.execute(sql.SQL("REVOKE ALL ON DATABASE {copy} FROM PUBLIC").format(**names))
            server.execute(
                sql.SQL(
                    "GRANT CONNECT ON DATABASE {copy} "
                    "TO holdfast_owner, holdfast_worker, holdfast_status, holdfast_dapr"
                ).format(**names)
            )
        try:
            yield copy
        finally:
            with self.connect("postgres") as server:
                server.execute(sql.SQL("DROP DATABASE {copy} WITH (FORCE)").format(**names))

    def connect(self, name: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
        """Return a session of the superuser, in autocommit."""
        conninfo = self.cluster.conninfo(self.secrets.postgres, database=name or self.name)
        return psycopg.connect(conninfo, autocommit=True)


ROLES_SQL = repository() / "components" / "postgresql" / "roles.sql"


@contextmanager
def running_database(folder: Path) -> Iterator[Database]:
    """Run a server with the project's roles and schemas until the block ends."""
    with running_server(folder) as database:
        postgres.create_roles(database.cluster, ROLES_SQL, database.secrets)
        yield database


@contextmanager
def running_server(folder: Path) -> Iterator[Database]:
    """Run a server that knows nothing of the project, on a free port, until the block ends."""
    secrets = Secrets(**{field.name: token_hex(16) for field in fields(Secrets)})
    stack = StackFolder(folder, "database")
    stack.create()
    cluster = postgres.prepare(stack, free_port(), secrets.postgres)
    database = Database(cluster, secrets, stack.log("postgres"))
    try:
        database.start()
        yield database
    finally:
        database.stop()
        postgres.remove(stack)


def free_port() -> int:
    """Find a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
