"""How long a run stands still when something is killed, told by the ledger.

Chains are kept in flight; in the middle of that one kind of process is killed with SIGKILL. For
each run that was under way the time counts from the kill to its next committed effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import psycopg

from bench.contestants.holdfast import Holdfast
from bench.loads import Step, percentile
from bench.plan import Plan
from bench.processes import until

_IN_FLIGHT = 8
_LASTS_SECONDS = 14.0
_RUNNING_EFFECTS = 30
_HEALED_SECONDS = 60

#: What is killed at once, by the kind's name.
KILLS = {
    "worker": ("activity-worker",),
    "orchestrator": ("orchestrator",),
    "worker_sidecar": ("activity-worker-sidecar",),
    "orchestrator_sidecar": ("orchestrator-sidecar",),
    "all_four": (
        "activity-worker",
        "orchestrator",
        "activity-worker-sidecar",
        "orchestrator-sidecar",
    ),
    "scheduler": ("scheduler",),
    "postgres": ("postgres",),
}

#: From the kill to the next effect of each run that was under way.
_STOOD_STILL = """
SELECT extract(epoch FROM min(committed_at) FILTER (WHERE committed_at > %(at)s) - %(at)s)
FROM work.effects
WHERE instance NOT IN (SELECT instance FROM work.closed_runs WHERE closed_at <= %(at)s)
GROUP BY instance
HAVING min(committed_at) <= %(at)s
"""


def measure(holdfast: Holdfast, plan: Plan) -> Iterator[Step]:
    """Yield a step for each kind of kill."""
    for kind in plan.kinds:
        victims = KILLS[kind]
        yield (
            f"recovery: {kind}",
            partial(_kind, holdfast, kind, victims, plan.kills),
        )


def _kind(holdfast: Holdfast, kind: str, victims: tuple[str, ...], kills: int) -> dict[str, float]:
    taken = [seconds for _ in range(kills) for seconds in _kill(holdfast, victims)]
    return {
        f"recovery_{kind}_p50_s": percentile(taken, 50),
        f"recovery_{kind}_p99_s": percentile(taken, 99),
    }


def _kill(holdfast: Holdfast, victims: tuple[str, ...]) -> list[float]:
    stack = holdfast.ground.stack
    conninfo = holdfast.ground.conninfo("holdfast")
    before = _effects(conninfo)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(
            holdfast.driver.ask, do="chains", seconds=_LASTS_SECONDS, in_flight=_IN_FLIGHT
        )
        until(
            lambda: _effects(conninfo) > before + _RUNNING_EFFECTS,
            seconds=_HEALED_SECONDS,
            what="chains run",
        )
        at = datetime.now().astimezone()
        for victim in victims:
            stack.kill(victim)
        load.result()
    stack.wait_until_ready()
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(_STOOD_STILL, {"at": at}).fetchall()
    return [float(seconds) for (seconds,) in rows if seconds is not None]


def _effects(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM work.effects").fetchone()
    return int(row[0]) if row else 0
