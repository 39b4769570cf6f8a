"""The ground that all contestants stand on: one PostgreSQL, one disk, one folder."""

from __future__ import annotations

from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from holdfast_local import processes
from holdfast_local.folders import repository
from holdfast_local.programs import NAMES
from holdfast_local.stack import Stack


class Ground:
    """Holdfast's own local stack, whose PostgreSQL also serves those who need one.

    The same server, with the same settings, on the same disk: the fairest there is. While
    somebody else is measured every other process of the stack is stopped.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or repository() / ".run" / "bench-files"
        self.stack = Stack("bench")

    def lay(self) -> None:
        """Start afresh: an empty database, nothing else running."""
        self.stack.delete()
        self.stack.up()

    def clear(self) -> None:
        """End and delete everything."""
        self.stack.delete()

    @property
    def port(self) -> int:
        """The port of PostgreSQL."""
        return self.stack.ports["postgres"]

    @property
    def password(self) -> str:
        """The superuser's password."""
        return self.stack.identity.secrets.postgres

    def conninfo(self, database: str) -> str:
        """Return a connection string for libpq."""
        return (
            f"host=127.0.0.1 port={self.port} user=postgres password={self.password} "
            f"dbname={database}"
        )

    def url(self, database: str, scheme: str = "postgresql") -> str:
        """Return a connection URL."""
        return f"{scheme}://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def fresh_database(self, name: str) -> None:
        """Create a database anew."""
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            for verb in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
                connection.execute(sql.SQL(verb).format(sql.Identifier(name)))

    def members(self) -> dict[str, list[psutil.Process]]:
        """Return PostgreSQL's processes."""
        return self.stack_members(("postgres",))

    def stack_members(self, names: tuple[str, ...] = NAMES) -> dict[str, list[psutil.Process]]:
        """Return the stack's processes that run now, by name."""
        pids = {name: self.stack.pid(name) for name in names}
        return {name: processes.family(pid) for name, pid in pids.items() if pid}
