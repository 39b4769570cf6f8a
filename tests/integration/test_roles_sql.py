"""roles.sql on a server that gives nobody its superuser: what managed ones give is enough."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psycopg
import pytest

from holdfast_cli.manifests import DATABASE_ROLES
from tests.support.postgres import ROLES_SQL, Database, running_server

ADMIN = "administrator"
PASSWORD = "of the administrator"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Database]:
    with running_server(tmp_path) as server:
        with server.connect("postgres") as superuser:
            superuser.execute(
                f"CREATE ROLE {ADMIN} LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}'".encode()
            )
        yield server


def run_script(server: Database, user: str = ADMIN, password: str = PASSWORD) -> None:
    done = subprocess.run(
        [server.cluster.binaries / "psql", "--no-psqlrc", "--file", ROLES_SQL],
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.cluster.port),
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGDATABASE": "postgres",
            **{
                f"HOLDFAST_{role.upper()}_PASSWORD": getattr(server.secrets, role)
                for role in DATABASE_ROLES
            },
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def as_role(server: Database, role: str) -> psycopg.Connection[tuple[object, ...]]:
    url = server.url(role).replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True)


def test_roles_are_made_by_one_who_may_create_roles_and_made_again(server: Database) -> None:
    run_script(server)
    run_script(server)

    for role, schemas in {"owner": ("work", "ledger", "status"), "dapr": ("dapr",)}.items():
        with as_role(server, role) as session:
            for schema in schemas:
                session.execute(f"CREATE TABLE {schema}.made (id int)".encode())
    with as_role(server, "worker") as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("CREATE TABLE work.another (id int)")


def test_the_administrator_is_no_member_of_the_owners_afterwards(server: Database) -> None:
    run_script(server)

    with server.connect() as superuser:
        for role in ("holdfast_owner", "holdfast_dapr"):
            asked = superuser.execute(
                "SELECT pg_has_role(%s, %s, 'USAGE'), pg_has_role(%s, %s, 'SET')",
                (ADMIN, role, ADMIN, role),
            )
            assert asked.fetchone() == (False, False)


def test_the_superuser_can_run_it_after_the_administrator(server: Database) -> None:
    run_script(server)

    run_script(server, "postgres", server.secrets.postgres)

    with as_role(server, "owner") as session:
        session.execute("CREATE TABLE ledger.made (id int)")


def test_the_status_api_may_fill_a_gap_in_an_inbox_and_do_nothing_else_to_daprs_tables(
    server: Database,
) -> None:
    run_script(server)
    actor = "orchestrator||dapr.internal.holdfast.orchestrator.workflow||order-1||"
    with as_role(server, "dapr") as dapr:
        dapr.execute("CREATE TABLE dapr.state (key text PRIMARY KEY, value bytea, etag uuid)")
        for name in ("metadata", "inbox-000001"):
            dapr.execute("INSERT INTO dapr.state VALUES (%s, 'as it was')", [actor + name])
        mend = "SELECT dapr.holdfast_mend('orchestrator', %s, 2)"

        with as_role(server, "status") as status:
            assert status.execute(mend, ["order-1"]).fetchone() == (1,)
            assert status.execute(mend, ["order-1"]).fetchone() == (0,)
            assert status.execute(mend, ["order"]).fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                status.execute("SELECT FROM dapr.state")
        with (
            as_role(server, "worker") as worker,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            worker.execute(mend, ["order-1"])

        kept = dapr.execute("SELECT key, value FROM dapr.state ORDER BY key").fetchall()
    assert [key for key, _ in kept] == [
        actor + name for name in ("inbox-000000", "inbox-000001", "metadata")
    ]
    assert [value for _, value in kept[1:]] == [b"as it was"] * 2
    assert b"holdfast-rearm" in cast("bytes", kept[0][1])
