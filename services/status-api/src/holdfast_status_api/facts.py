"""Gather what is known of a run: from the engine, the ledger and our own tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, select
from sqlalchemy.engine import Row

from holdfast_status_api.frozen import Case, Instance, diagnose, keys_of
from holdfast_status_api.index import Run
from holdfast_status_api.opened import CHILD, open_steps
from holdfast_status_api.orchestrator import (
    MissingError,
    Orchestrator,
    UnavailableError,
    UnreadableError,
)
from holdfast_status_api.receipts import is_cancelled, is_closed
from holdfast_status_api.settings import Settings
from holdfast_status_api.tables import (
    attempts,
    effects,
    events,
    requests,
    scheduler_memory,
    workers,
)
from holdfast_status_api.why import Facts

#: A worker says every 2 s that it is there; one that was silent for so long is not.
WORKER_SILENT_SECONDS = 6


def facts_of(
    engine: Engine,
    orchestrator: Orchestrator,
    run: Run,
    settings: Settings,
    *,
    connected: bool | None = None,
) -> Facts:
    """Return all that tells why the run is not further than it is.

    Whoever asks for many runs says whether the orchestrator is connected.
    """
    if run.state.terminal:
        return Facts(run)
    connected = orchestrator.worker_connected() if connected is None else connected
    instance: Instance | None = None
    if run.dispatched:
        instance = _instance(orchestrator, run.instance_id)
        connected = False if instance is None and connected is None else connected
    with engine.connect() as connection:
        request = connection.execute(
            select(requests.c.attempts, requests.c.last_error).where(
                requests.c.instance_id == run.instance_id
            )
        ).one()
        facts = Facts(
            run,
            start_attempts=request.attempts,
            start_error=request.last_error,
            history=None if instance is None or instance.unreadable else instance.history,
            engine_status=None if instance is None else instance.status,
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
    if instance is None:
        return facts
    case = _case(engine, orchestrator, facts, instance, settings)
    return facts if case is None else replace(facts, frozen=diagnose(case))


def _instance(orchestrator: Orchestrator, instance_id: str) -> Instance | None:
    """Return what the engine says of an instance; ``None``: it cannot be asked."""
    try:
        report = orchestrator.run(instance_id)
        if report is None:
            return Instance(instance_id)
        return Instance(instance_id, report.status, orchestrator.history(instance_id))
    except UnreadableError as error:
        return Instance(instance_id, unreadable=str(error))
    except MissingError:
        return Instance(instance_id)
    except UnavailableError:
        return None


def _case(
    engine: Engine, orchestrator: Orchestrator, facts: Facts, instance: Instance, settings: Settings
) -> Case | None:
    """Return what tells whether the run is frozen, or ``None`` where it is known not to be."""
    run = facts.run
    grace = timedelta(seconds=settings.frozen_grace_seconds)
    with engine.connect() as connection:
        now, forgot_at = connection.execute(_NOW_AND_FORGOT).one()
        moved_at = instance.moved_at or run.updated_at
        if now - moved_at <= grace and (forgot_at is None or forgot_at <= run.accepted_at):
            return None
    whole = _with_children(orchestrator, instance)
    if whole is None:
        return None
    with engine.connect() as connection:
        tried_at, under_way = _tries(connection, run.instance_id, keys_of(whole))
        return Case(
            run,
            whole,
            now,
            grace,
            connected=bool(facts.orchestrator_connected and facts.worker_connected),
            tried_at=tried_at,
            under_way=under_way,
            forgot_at=forgot_at,
            closed=bool(connection.scalar(select(is_closed(run.instance_id)))),
            cancelled=bool(connection.scalar(select(is_cancelled(run.instance_id)))),
        )


def _with_children(orchestrator: Orchestrator, instance: Instance) -> Instance | None:
    """Return the instance with all that it waits for, or ``None`` if that cannot be asked."""
    children = []
    for step in open_steps(instance.history):
        if step["type"] != CHILD:
            continue
        child = _instance(orchestrator, step["instance_id"])
        whole = None if child is None else _with_children(orchestrator, child)
        if whole is None:
            return None
        children.append(whole)
    return replace(instance, children=children)


def _tries(
    connection: Connection, instance_id: str, keys: Collection[str]
) -> tuple[dict[str, datetime], set[str]]:
    """Return when each step was tried last, and which of them are under way now."""
    newest = connection.execute(
        select(
            attempts.c.key,
            func.max(attempts.c.started_at),
            func.bool_or(attempts.c.outcome.is_(None) & attempts.c.pod.in_(_there())),
        )
        .where(attempts.c.instance == instance_id, attempts.c.key.in_(keys))
        .group_by(attempts.c.key)
    ).all()
    return {key: at for key, at, _ in newest}, {key for key, _, runs_now in newest if runs_now}


def _there() -> Select[tuple[str]]:
    """Return the worker processes that have said a moment ago that they are there, as SQL."""
    silent_since = func.clock_timestamp() - timedelta(seconds=WORKER_SILENT_SECONDS)
    return select(workers.c.pod).where(workers.c.seen_at > silent_since)


_NOW_AND_FORGOT = select(
    func.clock_timestamp(), select(scheduler_memory.c.forgot_at).scalar_subquery()
)


def worker_connected(connection: Connection) -> bool:
    """Tell whether an activity worker has said a moment ago that activities can reach it."""
    query = _there().where(workers.c.connected).limit(1)
    return connection.execute(query).one_or_none() is not None


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
