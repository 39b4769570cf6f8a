"""The ledger's database of any release: where its Secret says it is, as whom the user says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from kubernetes.client import ApiClient, ApiException, CoreV1Api
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from holdfast_chaos.database import connect
from holdfast_chaos.targets.cluster import API_SECONDS
from holdfast_cluster.chaos.site_file import DATABASE_URL
from holdfast_cluster.chaos.ways import forwarded, secret
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.kube import Kube

#: Where the charts mount the certificate of the database's authority, and what they mount.
_MOUNTED = "/etc/holdfast/database-ca/"
_AUTHORITY = ("holdfast-database-ca", "ca.crt")
_IN_CLUSTER = re.compile(r"([a-z0-9-]+)(?:\.([a-z0-9-]+)(?:\.svc(?:\..*)?)?)?")
#: Each privilege that the harness needs, and whether the session has it.
_PRIVILEGES: LiteralString = """
    SELECT 'pg_monitor', pg_has_role('pg_monitor', 'USAGE')
    UNION ALL SELECT 'pg_signal_backend', pg_has_role('pg_signal_backend', 'USAGE')
    UNION ALL SELECT 'holdfast_owner', has_schema_privilege('work', 'CREATE')
    UNION ALL SELECT 'holdfast_dapr', has_schema_privilege('dapr', 'USAGE')
"""


@contextmanager
def ledger_access(
    client: ApiClient, kube: Kube, namespace: str, owner: tuple[str, str], folder: Path
) -> Iterator[str]:
    """Give the URL of the database, forwarded to this machine if it is a Service in the cluster.

    Refuses a role that may not do what the harness does, with the statement that makes one.
    """
    url = os.environ.get(DATABASE_URL) or secret(client, namespace, *owner)
    parts = conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    if str(parts.get("sslrootcert", "")).startswith(_MOUNTED):
        authority = folder / "database-ca.crt"
        authority.write_text(secret(client, namespace, *_AUTHORITY), "utf-8")
        parts["sslrootcert"] = str(authority)
    with ExitStack() as opened:
        service = _service(client, namespace, str(parts.get("host", "")))
        if service is not None:
            port = opened.enter_context(
                forwarded(kube, service[0], f"service/{service[1]}", int(parts.get("port") or 5432))
            )
            # The name stays what the server's certificate is checked for.
            parts |= {"hostaddr": "127.0.0.1", "port": str(port)}
        found = make_conninfo("", **parts)
        _check(found, str(parts.get("user")))
        yield found


def _service(client: ApiClient, namespace: str, host: str) -> tuple[str, str] | None:
    """Return the Service that a host names from within the namespace, or none."""
    match = _IN_CLUSTER.fullmatch(host)
    if match is None:
        return None
    api: Any = CoreV1Api(client)
    where = match[2] or namespace
    try:
        api.read_namespaced_service(match[1], where, _request_timeout=API_SECONDS)
    except ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    return where, match[1]


def _check(url: str, user: str) -> None:
    try:
        with connect(url, autocommit=True) as connection:
            rows = connection.execute(_PRIVILEGES).fetchall()
    except psycopg.OperationalError as error:
        raise ClusterError(f"The ledger's database does not answer {user}: {error}") from error
    missing = [str(name) for name, there in rows if not there]
    if missing:
        raise ClusterError(
            f"The database role {user} is no member of {', '.join(missing)}, which the harness "
            "needs to hold steps, to end sessions of killed pods and to read the ledger. Make one "
            "that is, for as long as the suite runs: CREATE ROLE holdfast_chaos LOGIN PASSWORD "
            "'…' IN ROLE holdfast_owner, holdfast_dapr, pg_monitor, pg_signal_backend; and set "
            f"{DATABASE_URL}=postgresql://holdfast_chaos:…@HOST/holdfast"
        )
