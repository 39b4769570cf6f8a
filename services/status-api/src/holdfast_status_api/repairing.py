"""Free a frozen run. Whatever is done, the run's effect keys stay, so nothing happens twice.

A run that the engine can load is *re-armed*: it dispatches again what it waits for, and keeps its
history, its timers' times and the events that it took. One that the engine cannot load is mended
first, by a function in the database that can do nothing else. One that the engine does not have is
begun anew, with its own ID, input and events; the ledger hands back all that it has done.
"""

from __future__ import annotations

import re

import structlog
from prometheus_client import Counter
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import ProgrammingError

from holdfast_status_api.orchestrator import (
    FinishedError,
    MissingError,
    Orchestrator,
    RefusedError,
    UnreadableError,
)
from holdfast_status_api.receipts import is_cancelled, is_closed
from holdfast_status_api.states import State
from holdfast_status_api.tables import events, requests, runs

_REPAIRS = Counter("holdfast_repairs_total", "Runs that were repaired, by what was done.", ("how",))
#: The engine names the key of the inbox that is missing, and how long the inbox is to be.
_GAP = re.compile(r"inbox key .* declared in metadata \(inboxLength=(\d+)\)")
_MEND = text("SELECT dapr.holdfast_mend(:app_id, :instance_id, :length)")
_LOST = "the engine lost it after it had ended, by the ledger's word"
_log = structlog.get_logger()


def repair(engine: Engine, orchestrator: Orchestrator, instance_id: str) -> None:
    """Free the run; once more does no harm, nor for one that is not frozen.

    Raises `RefusedError` if nothing is known that would free it.
    """
    how = "rearmed"
    try:
        try:
            unreadable = orchestrator.rearm(instance_id).unreadable
        except UnreadableError as error:
            unreadable = {instance_id: str(error)}
        if unreadable:
            how = "mended"
            for instance, said in unreadable.items():
                _mend(engine, orchestrator.app_id, instance, said)
            _rearm_all(orchestrator, instance_id)
    except FinishedError:
        return  # the index will hear of it
    except MissingError:
        how = _begin_anew(engine, instance_id)
    _REPAIRS.labels(how).inc()
    _log.warning("a run was repaired", instance_id=instance_id, how=how)


def _rearm_all(orchestrator: Orchestrator, instance_id: str) -> None:
    still = orchestrator.rearm(instance_id).unreadable
    if still:
        raise RefusedError(f"mended, and still unreadable: {', '.join(still)}")


def _mend(engine: Engine, app_id: str, instance_id: str, said: str) -> None:
    """Put an event that does nothing where the engine looks for one, and finds none."""
    gap = _GAP.search(said)
    if gap is None:
        raise RefusedError(f"nothing is known that would mend {instance_id}: {said}")
    values = {"app_id": app_id, "instance_id": instance_id, "length": int(gap[1])}
    try:
        with engine.begin() as connection:
            mended = connection.scalar(_MEND, values)
    except ProgrammingError as error:
        why = str(error.orig).splitlines()[0]
        raise RefusedError(f"run components/postgresql/roles.sql once more: {why}") from error
    _log.warning("an inbox was mended", instance_id=instance_id, events=mended)


def _begin_anew(engine: Engine, instance_id: str) -> str:
    """Have the dispatchers start the run again, and bring it its events again, in their order.

    A run that the ledger has as closed is not started: it has ended, and the index says so.
    """
    with engine.begin() as connection:
        if connection.scalar(select(is_closed(instance_id))):
            connection.execute(
                update(runs)
                .where(runs.c.instance_id == instance_id, ~runs.c.terminal)
                .values(
                    state=State.TERMINATED,
                    reason=_LOST,
                    updated_at=func.clock_timestamp(),
                    finished_at=func.clock_timestamp(),
                )
            )
            return "ended"
        if connection.scalar(select(is_cancelled(instance_id))):
            raise RefusedError("begun anew, it would take its cancellation at another step")
        now = func.clock_timestamp()
        again = {"claimed_by": None, "next_attempt_at": now}
        connection.execute(
            update(requests)
            .where(requests.c.instance_id == instance_id)
            .values(dispatched_at=None, **again)
        )
        connection.execute(
            update(events)
            .where(events.c.instance_id == instance_id, events.c.expired_at.is_(None))
            .values(delivered_at=None, **again)
        )
    return "begun_anew"
