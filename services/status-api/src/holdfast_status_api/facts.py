"""Gather what is known of a run: from the engine, the ledger and our own tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.engine import Row

from holdfast_status_api.index import Run
from holdfast_status_api.orchestrator import MissingError, Orchestrator, UnavailableError
from holdfast_status_api.settings import Settings
from holdfast_status_api.tables import attempts, effects, events, requests, workers
from holdfast_status_api.why import Facts

#: A worker says every 2 s that it is there; one that was silent for so long is not.
WORKER_SILENT_SECONDS = 6


def facts_of(engine: Engine, orchestrator: Orchestrator, run: Run, settings: Settings) -> Facts:
    """Return all that tells why the run is not further than it is."""
    if run.state.terminal:
        return Facts(run)
    history: list[dict[str, Any]] | None = None
    status: str | None = None
    connected: bool | None = orchestrator.worker_connected()
    if run.dispatched:
        try:
            report = orchestrator.run(run.instance_id)
            status = None if report is None else report.status
            history = orchestrator.history(run.instance_id)
        except UnavailableError:
            history = None
            connected = False if connected is None else connected
        except MissingError:
            history = []
    with engine.connect() as connection:
        request = connection.execute(
            select(requests.c.attempts, requests.c.last_error).where(
                requests.c.instance_id == run.instance_id
            )
        ).one()
        return Facts(
            run,
            start_attempts=request.attempts,
            start_error=request.last_error,
            history=history,
            engine_status=status,
            orchestrator_connected=connected,
            orchestrator_app_id=settings.orchestrator_app_id,
            worker_app_id=settings.worker_app_id,
            worker_connected=worker_connected(connection),
            attempts=_unfinished(connection, run.instance_id),
            undelivered=list(
                connection.scalars(
                    select(events.c.name).where(
                        events.c.instance_id == run.instance_id,
                        events.c.delivered_at.is_(None),
                        events.c.expired_at.is_(None),
                    )
                )
            ),
        )


def worker_connected(connection: Connection) -> bool:
    """Tell whether an activity worker has said a moment ago that activities can reach it."""
    silent_since = func.clock_timestamp() - timedelta(seconds=WORKER_SILENT_SECONDS)
    query = select(workers.c.pod).where(workers.c.connected, workers.c.seen_at > silent_since)
    return connection.execute(query.limit(1)).one_or_none() is not None


def timeline_of(engine: Engine, instance_id: str) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Return the run's attempts and effects, its children's too, by the ledger's word."""
    with engine.connect() as connection:
        return (
            list(
                connection.execute(
                    select(attempts)
                    .where(attempts.c.instance == instance_id)
                    .order_by(attempts.c.id)
                )
            ),
            list(
                connection.execute(
                    select(effects).where(effects.c.instance == instance_id).order_by(effects.c.seq)
                )
            ),
        )


def _unfinished(connection: Connection, instance_id: str) -> dict[str, str]:
    newest = (
        select(
            attempts.c.step,
            attempts.c.pod,
            attempts.c.outcome,
            attempts.c.error_type,
            attempts.c.error,
        )
        .distinct(attempts.c.step)
        .where(attempts.c.instance == instance_id)
        .order_by(attempts.c.step, attempts.c.id.desc())
    )
    told = {}
    for row in connection.execute(newest):
        if row.outcome is None:
            told[row.step] = f"an attempt on {row.pod} has begun and not ended"
        elif row.outcome in {"failed", "refused"}:
            told[row.step] = f"the last attempt {row.outcome}: {row.error_type}: {row.error}"
    return told
