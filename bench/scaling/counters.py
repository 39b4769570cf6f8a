"""The counters of the database and of the schedulers' etcd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from bench.counts import metrics
from holdfast_chaos.database import connect

#: What each of etcd's metrics is called here.
_ETCD = {
    "etcd_server_proposals_committed_total": "etcd_commits",
    "etcd_disk_wal_fsync_duration_seconds_count": "etcd_syncs",
    "etcd_disk_wal_fsync_duration_seconds_sum": "etcd_sync_seconds",
    "etcd_debugging_mvcc_current_revision": "etcd_revisions",
    "etcd_mvcc_db_total_size_in_use_in_bytes": "etcd_bytes",
    "etcd_disk_wal_write_bytes_total": "etcd_log_bytes",
}
#: Schemas by what they hold; the ledger's rows are for ever, the others are purged with their runs.
_SCHEMAS = {"dapr": "engine", "work": "ledger", "ledger": "ledger", "status": "status"}
_DATABASE: LiteralString = """
    SELECT stats.xact_commit, wal.wal_sync, wal.wal_sync_time / 1000,
        pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')
    FROM pg_stat_database stats, pg_stat_wal wal WHERE stats.datname = current_database()
"""
_SIZES: LiteralString = """
    SELECT schemaname, sum(pg_total_relation_size(relid))
    FROM pg_stat_user_tables GROUP BY schemaname
"""
#: Pages written: by checkpoints, ahead of them, and by sessions that found no clean one.
_PAGES: LiteralString = (
    "SELECT buffers_checkpoint + buffers_clean + buffers_backend FROM pg_stat_bgwriter"
)
_CONNECTIONS: LiteralString = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> 'holdfast-chaos'
"""


@dataclass(frozen=True)
class Reading:
    """Every counter as it stood at one time."""

    database: Mapping[str, float]
    #: Of each member of the scheduler's etcd.
    members: Sequence[Mapping[str, float]]

    def since(self, before: Reading) -> dict[str, float]:
        """Return what each counter grew by; of etcd's, in the member in which it grew the most."""
        grown = {name: value - before.database[name] for name, value in self.database.items()}
        return grown | {
            name: max(
                now[name] - then[name]
                for now, then in zip(self.members, before.members, strict=True)
            )
            for name in _ETCD.values()
        }


class Counters:
    """What counts up while Holdfast works, read through ways into the cluster."""

    def __init__(self, database_url: str, etcd_urls: Sequence[str]) -> None:
        self._connection = connect(database_url, autocommit=True)
        self._etcd_urls = tuple(etcd_urls)

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def read(self) -> Reading:
        """Return every counter as it stands."""
        row = self._connection.execute(_DATABASE).fetchone() or (0, 0, 0, 0)
        names = ("commits", "syncs", "sync_seconds", "wal_bytes")
        found = {f"database_{name}": float(value) for name, value in zip(names, row, strict=True)}
        found |= {f"database_bytes_{name}": 0.0 for name in _SCHEMAS.values()}
        for schema, size in self._connection.execute(_SIZES):
            if schema in _SCHEMAS:
                found[f"database_bytes_{_SCHEMAS[schema]}"] += float(size)
        pages = [metrics(f"{url}/metrics") for url in self._etcd_urls]
        return Reading(
            found, [{name: page[metric] for metric, name in _ETCD.items()} for page in pages]
        )

    def pages_written(self) -> float:
        """Return how many pages of tables and indexes the database has written, up to now."""
        self._connection.execute("CHECKPOINT")
        row = self._connection.execute(_PAGES).fetchone() or (0,)
        return float(row[0])

    def levels(self) -> dict[str, float]:
        """Return what goes up and down: connections, and bytes on the disks."""
        row = self._connection.execute(
            "SELECT pg_database_size(current_database()), (SELECT sum(size) FROM pg_ls_waldir())"
        ).fetchone() or (0, 0)
        connections = self._connection.execute(_CONNECTIONS).fetchone() or (0,)
        etcd = [metrics(f"{url}/metrics") for url in self._etcd_urls]
        return {
            "database_bytes": float(row[0]),
            "database_log_bytes": float(row[1]),
            "database_connections": float(connections[0]),
            "etcd_database_bytes": max(one["etcd_mvcc_db_total_size_in_bytes"] for one in etcd),
        }
