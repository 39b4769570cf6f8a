"""What operators ask of the whole installation, counted in the database and not in processes.

However many processes serve, and whichever of them is asked, the answer is the same: nothing is
counted twice, and nothing is lost when a process dies. One look serves all scrapes for a while.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

_FRESH_SECONDS = 5.0
#: How many attempts, counted from the newest, the ledger's figures are taken from.
RECENT_ATTEMPTS = 5000
_QUANTILES = (0.5, 0.95, 1.0)

_RUNS = text("""
    SELECT workflow, state, count(*) AS runs FROM status.runs
    WHERE purged_at IS NULL GROUP BY workflow, state
""")
_WAITING = text("""
    WITH open AS (
        SELECT run.workflow, run.updated_at,
               greatest(run.accepted_at, request.start_at) AS since,
               -- The engine was asked when the timer was past, and the run had not moved.
               CASE WHEN run.state = 'RUNNING' AND run.observed_at > run.wakes_at
                    THEN run.wakes_at END AS overdue_since,
               CASE WHEN run.state = 'PENDING' THEN 'start'
                    WHEN run.state = 'SUSPENDED' THEN 'resume'
                    WHEN run.custom_status #>> '{}' LIKE 'waiting for %' THEN 'event'
                    WHEN run.wakes_at IS NOT NULL THEN 'timer'
                    ELSE 'step' END AS waits_for
        FROM status.runs run LEFT JOIN status.requests request USING (instance_id)
        WHERE NOT run.terminal
    )
    SELECT workflow, waits_for,
           greatest(0, max(extract(epoch FROM clock_timestamp() - since))) AS oldest,
           greatest(0, max(extract(epoch FROM clock_timestamp() - updated_at))) AS quiet,
           max(extract(epoch FROM clock_timestamp() - overdue_since)) AS overdue
    FROM open WHERE since <= clock_timestamp() GROUP BY workflow, waits_for
""")
_OUTBOXES = text("""
    SELECT 'starts' AS outbox, count(*) AS depth,
           extract(epoch FROM clock_timestamp() - min(greatest(accepted_at, start_at))) AS oldest
    FROM status.requests
    WHERE dispatched_at IS NULL AND coalesce(start_at <= clock_timestamp(), true)
    UNION ALL
    SELECT 'events', count(*), extract(epoch FROM clock_timestamp() - min(accepted_at))
    FROM status.events WHERE delivered_at IS NULL AND expired_at IS NULL
    UNION ALL
    SELECT 'commands', count(*), extract(epoch FROM clock_timestamp() - min(accepted_at))
    FROM status.commands WHERE delivered_at IS NULL
    UNION ALL
    SELECT 'webhooks', count(*), extract(epoch FROM clock_timestamp() - min(created_at))
    FROM status.deliveries WHERE delivered_at IS NULL AND dead_at IS NULL
""")
_DEAD_LETTERS = text("SELECT count(*) FROM status.deliveries WHERE dead_at IS NOT NULL")
_RECENT = f"""
    recent AS MATERIALIZED (
        SELECT id, key, step, runner, started_at, outcome FROM ledger.attempts
        ORDER BY id DESC LIMIT {RECENT_ATTEMPTS}
    )
"""  # noqa: S608 - our number
_ATTEMPTS = text(f"""
    WITH {_RECENT}
    SELECT step, count(*) AS attempts, count(DISTINCT key) AS effects
    FROM recent GROUP BY step
""")  # noqa: S608 - our words
#: An attempt without an outcome, other than the one that committed the effect, was interrupted.
_RECOVERIES = text(f"""
    WITH {_RECENT},
    recovered AS (
        SELECT extract(epoch FROM e.committed_at - max(a.started_at)) AS seconds
        FROM recent a JOIN ledger.effects e ON e.key = a.key
        WHERE a.outcome IS NULL AND e.kind = 'effect'
          AND e.attempt_id IS DISTINCT FROM a.id AND e.committed_at > a.started_at
        GROUP BY a.key, e.committed_at
    )
    SELECT count(*) AS recoveries,
           percentile_cont(CAST(:quantiles AS float[])) WITHIN GROUP (ORDER BY seconds) AS seconds
    FROM recovered
""")  # noqa: S608 - our words
_UNRECOVERED = text(f"""
    WITH {_RECENT}
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - started_at)), 0)
    FROM (
        SELECT key, runner, max(started_at) AS started_at FROM recent
        GROUP BY key, runner HAVING bool_and(outcome IS NULL)
    ) open
    WHERE NOT EXISTS (SELECT FROM ledger.effects e WHERE e.key = open.key)
      AND NOT EXISTS (SELECT FROM ledger.closed_runs c WHERE c.instance = open.runner)
""")  # noqa: S608 - our words


class Survey(Collector):
    """Counts in the database, at most every few seconds. Thread-safe; make it after the fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._seen: list[Metric] = []
        self._seen_at = -math.inf

    def collect(self) -> Iterable[Metric]:
        """Return the figures; without the database only that there are none."""
        with self._lock:
            if time.monotonic() - self._seen_at > _FRESH_SECONDS:
                self._seen = self._look()
                self._seen_at = time.monotonic()
            return list(self._seen)

    def _look(self) -> list[Metric]:
        up = GaugeMetricFamily("holdfast_survey_up", "1 while the database can be asked.")
        try:
            with self._engine.connect() as connection:
                figures = [
                    *_runs(connection),
                    *_waiting(connection),
                    *_outboxes(connection),
                    *_ledger(connection),
                ]
        except SQLAlchemyError as error:
            structlog.get_logger().warning("the survey failed", error=str(error).splitlines()[0])
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *figures]


def _runs(connection: Connection) -> list[Metric]:
    runs = GaugeMetricFamily(
        "holdfast_runs", "Runs by workflow and state.", labels=("workflow", "state")
    )
    for row in connection.execute(_RUNS):
        runs.add_metric([row.workflow, row.state], row.runs)
    return [runs]


def _waiting(connection: Connection) -> list[Metric]:
    labels = ("workflow", "waits_for")
    oldest = GaugeMetricFamily(
        "holdfast_oldest_waiting_run_seconds",
        "Age of the oldest run that has not ended, by what it waits for.",
        labels=labels,
    )
    quiet = GaugeMetricFamily(
        "holdfast_quietest_run_seconds",
        "How long nothing has happened in the run that is longest without a change.",
        labels=labels,
    )
    overdue = GaugeMetricFamily(
        "holdfast_overdue_timer_seconds",
        "How long the timer that was due first is past, of runs that it has not woken.",
        labels=labels,
    )
    for row in connection.execute(_WAITING):
        oldest.add_metric([row.workflow, row.waits_for], float(row.oldest))
        quiet.add_metric([row.workflow, row.waits_for], float(row.quiet))
        overdue.add_metric([row.workflow, row.waits_for], float(row.overdue or 0))
    return [oldest, quiet, overdue]


def _outboxes(connection: Connection) -> list[Metric]:
    depth = GaugeMetricFamily(
        "holdfast_outbox_depth", "What waits to be delivered, by outbox.", labels=("outbox",)
    )
    oldest = GaugeMetricFamily(
        "holdfast_outbox_oldest_seconds",
        "Age of the oldest that waits to be delivered, by outbox.",
        labels=("outbox",),
    )
    for row in connection.execute(_OUTBOXES):
        depth.add_metric([row.outbox], row.depth)
        oldest.add_metric([row.outbox], float(row.oldest or 0))
    dead = GaugeMetricFamily(
        "holdfast_webhook_dead_letters", "Lifecycle events that were given up."
    )
    dead.add_metric([], _number(connection.scalar(_DEAD_LETTERS)))
    return [depth, oldest, dead]


def _ledger(connection: Connection) -> list[Metric]:
    per_effect = GaugeMetricFamily(
        "holdfast_attempts_per_effect",
        f"Attempts for each effect, of the newest {RECENT_ATTEMPTS} attempts; 1 is perfect.",
        labels=("step",),
    )
    for row in connection.execute(_ATTEMPTS):
        per_effect.add_metric([row.step], row.attempts / row.effects)
    recoveries = GaugeMetricFamily(
        "holdfast_recoveries",
        f"Effects that were committed after an interrupted attempt, of the newest"
        f" {RECENT_ATTEMPTS} attempts.",
    )
    seconds = GaugeMetricFamily(
        "holdfast_recovery_seconds",
        "Time from an interrupted attempt to the commit of its effect, of the same.",
        labels=("quantile",),
    )
    found = connection.execute(_RECOVERIES, {"quantiles": list(_QUANTILES)}).one()
    recoveries.add_metric([], found.recoveries)
    for quantile, value in zip(_QUANTILES, found.seconds or (), strict=False):
        seconds.add_metric([f"{quantile:g}"], value)
    unrecovered = GaugeMetricFamily(
        "holdfast_oldest_open_attempt_seconds",
        "Age of the oldest attempt that has neither ended nor been made good by another.",
    )
    unrecovered.add_metric([], _number(connection.scalar(_UNRECOVERED)))
    return [per_effect, recoveries, seconds, unrecovered]


def _number(value: Any) -> float:
    return float(value)
