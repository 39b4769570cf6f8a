"""How much an activity makes the parts do, counted and not timed: the same on every machine.

Counters are read before and after a number of runs, one at a time, and their difference is divided
by the activities in them. What a part does when nothing runs is counted on its own and taken off.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import partial

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql

from bench.histories import Api, ended_run
from bench.loads import STEPS_OF_A_CHAIN
from bench.processes import until
from holdfast_local.stack import Stack

_IDLE_SECONDS = 3.0
_ANSWER_SECONDS = 10
_ENDS_SECONDS = 60
#: Whose statements are whose.
ROLES = {"holdfast_dapr": "store", "holdfast_worker": "ledger", "holdfast_status": "api"}
#: A statement in the server's log, with the process that ran it (``log_line_prefix``).
_STATEMENT = re.compile(
    r"^\S+ \S+ \S+ \[(\d+)\] .*?LOG:  (?:statement|execute [^:]*):\s*(\w+)", re.MULTILINE
)


class Counters:
    """The counters of a stack that is up."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._libpq = stack.database_url.replace("+psycopg", "")

    def enable(self) -> None:
        """Let PostgreSQL log the statements of the three services, from their next session on."""
        with psycopg.connect(self._libpq, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET log_statement = 'all'").format(sql.Identifier(role))
                )
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)",
                [list(ROLES)],
            )
        self._stack.wait_until_ready()

    def read(self) -> dict[str, float]:
        """Return every counter as it stands."""
        return {**self._etcd(), **self._database(), **self._calls()}

    def of_chains(self, count: int) -> dict[str, float]:
        """Return what each step of a chain costs, its share of start and end included.

        Nobody looks at a chain while it runs: how often somebody does is no property of it.
        """
        api = Api(self._stack.api_url, self._stack.token("admin"))

        def chains() -> int:
            for _ in range(count):
                run = api.start("task_chain", 1)
                until(partial(self._is_closed, run), seconds=_ENDS_SECONDS, what="a chain ends")
            ended_run(api)
            return (count + 1) * STEPS_OF_A_CHAIN

        return self.per_activity(chains)

    def _is_closed(self, run: str) -> bool:
        with psycopg.connect(self._libpq) as connection:
            query = "SELECT 1 FROM work.closed_runs WHERE instance = %s"
            return connection.execute(query, [run]).fetchone() is not None

    def per_activity(self, act: Callable[[], int]) -> dict[str, float]:
        """Act, and return what each counter grew by for each activity that ran in it."""
        quiet = self._grown(lambda: time.sleep(_IDLE_SECONDS))
        idle = {name: value / _IDLE_SECONDS for name, value in quiet.items()}
        began = time.monotonic()
        activities = 0

        def counted() -> None:
            nonlocal activities
            activities = act()

        grown = self._grown(counted)
        seconds = time.monotonic() - began
        return {name: (grown[name] - idle[name] * seconds) / activities for name in grown}

    def _grown(self, act: Callable[[], object]) -> dict[str, float]:
        before = self.read()
        act()
        return difference(before, self.read())

    def _etcd(self) -> dict[str, float]:
        port = self._stack.ports["scheduler-etcd-client"]
        found = metrics(f"http://127.0.0.1:{port}/metrics")
        return {
            "etcd_commits": found["etcd_server_proposals_committed_total"],
            "etcd_syncs": found["etcd_disk_wal_fsync_duration_seconds_count"],
        }

    def _database(self) -> dict[str, float]:
        with psycopg.connect(self._libpq, autocommit=True) as connection:
            sessions = connection.execute(
                "SELECT pid, usename FROM pg_stat_activity WHERE usename = ANY(%s)",
                [list(ROLES)],
            ).fetchall()
            syncs = connection.execute(
                "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
            ).fetchone()
        log = self._stack.folder.log("postgres").read_text(errors="replace")
        return {"store_syncs": float(syncs[0]) if syncs else 0.0, **statements(log, dict(sessions))}

    def _calls(self) -> dict[str, float]:
        calls = 0.0
        for service in ("orchestrator", "activity-worker"):
            port = self._stack.ports[f"{service}-sidecar-metrics"]
            found = metrics(f"http://127.0.0.1:{port}/metrics")
            calls += sum(
                value
                for name, value in found.items()
                if name.startswith("dapr_grpc_io_server_completed_rpcs")
            )
        return {"calls": calls}


def statements(log: str, roles: Mapping[int, str]) -> dict[str, float]:
    """Count statements and transactions in a server's log, by whose they are.

    What begins and ends a transaction is no statement here; a statement outside of one is one.
    """
    counted = {f"{who}_{what}": 0.0 for who in ROLES.values() for what in ("statements", "commits")}
    open_in: set[int] = set()
    for match in _STATEMENT.finditer(log):
        if int(match[1]) not in roles:
            continue
        pid, word = int(match[1]), match[2].upper()
        who = ROLES[roles[pid]]
        if word in {"BEGIN", "START"}:
            open_in.add(pid)
        elif word in {"COMMIT", "ROLLBACK", "END"}:
            counted[f"{who}_commits"] += word != "ROLLBACK" and pid in open_in
            open_in.discard(pid)
        else:
            counted[f"{who}_statements"] += 1
            counted[f"{who}_commits"] += pid not in open_in
    return counted


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what each counter grew by."""
    return {name: after[name] - before.get(name, 0.0) for name in after}


def metrics(url: str) -> dict[str, float]:
    """Return every metric of a page, the samples of one name added up."""
    found: dict[str, float] = {}
    page = httpx.get(url, timeout=_ANSWER_SECONDS, trust_env=False).raise_for_status().text
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found
