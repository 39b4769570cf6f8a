"""Back up the database of a stack, and put it back."""

from __future__ import annotations

import subprocess
from pathlib import Path

from psycopg import connect, sql

from holdfast_local import postgres
from holdfast_local.stack import Stack


def back_up(stack: Stack, file: Path) -> None:
    """Write down all of the database, as of one moment."""
    _run(stack, "pg_dump", "--format=custom", f"--file={file}", f"--dbname={postgres.DATABASE}")


def restore(stack: Stack, file: Path) -> None:
    """Put the database in the place of the one that is there, whoever is connected to that."""
    cluster, password = _cluster(stack)
    with connect(cluster.conninfo(password, database="postgres"), autocommit=True) as session:
        name = sql.Identifier(postgres.DATABASE)
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    _run(stack, "pg_restore", "--create", "--dbname=postgres", "--exit-on-error", str(file))


def _run(stack: Stack, program: str, *arguments: str) -> None:
    cluster, password = _cluster(stack)
    address = ["--host=127.0.0.1", f"--port={cluster.port}", f"--username={postgres.SUPERUSER}"]
    done = subprocess.run(
        [cluster.binaries / program, *address, *arguments],
        env={"PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _cluster(stack: Stack) -> tuple[postgres.Cluster, str]:
    password = stack.identity.secrets.postgres
    return postgres.prepare(stack.folder, stack.ports["postgres"], password), password
