"""What an operator does to one run. Whatever is answered with 202 is committed before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from sqlalchemy import Engine, select

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_contracts.core import CANCEL, Cancellation, Event, Workflow
from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth import audit
from holdfast_status_api.commands import (
    Action,
    fence,
    is_commanded,
    purge_where,
    put_command,
    withdraw,
)
from holdfast_status_api.frozen import Frozen
from holdfast_status_api.index import Run
from holdfast_status_api.locks import take_turns
from holdfast_status_api.receipts import Receipt, accept_event, is_closed, note_reason
from holdfast_status_api.states import State
from holdfast_status_api.tables import runs


def signal(engine: Engine, instance_id: str, event: Event, reason: str) -> Receipt:
    """Accept a suspension or a resumption; a 409 if the run is as wished already, or has ended."""
    return accept_event(
        engine, instance_id, event, {"reason": reason}, idempotency_key=None, strict=True
    )


def cancel(engine: Engine, instance_id: str, workflow: str, reason: str) -> Receipt | None:
    """Accept a cancellation, or end the run at once if nothing of it was started.

    Returns ``None`` in the latter case. A 409 if the workflow declares no cancellation.
    """
    flow = WORKFLOWS.get(workflow)
    if flow is None or not flow.cancellable:
        raise not_cancellable(workflow)
    audit.because(reason)
    with engine.begin() as connection:
        take_turns(connection, instance_id)
        if withdraw(connection, instance_id, State.CANCELLED):
            note_reason(connection, instance_id, reason)
            audit.record(connection, HTTPStatus.ACCEPTED)
            return None
    data = Cancellation(reason=reason).model_dump(mode="json")
    return accept_event(engine, instance_id, CANCEL, data, idempotency_key=None)


def terminate(engine: Engine, instance_id: str, reason: str) -> bool:
    """Accept the end of a run where it stands; return whether its ledger is closed already.

    If so, no effect of the run or of its children starts from now on. If not, because an effect
    is under way, it will be closed before the engine is told. A 409 if the run has ended.
    """
    audit.because(reason)
    with engine.begin() as connection:
        take_turns(connection, instance_id)
        over, closed, again = connection.execute(
            select(
                runs.c.terminal,
                is_closed(instance_id),
                is_commanded(instance_id, Action.TERMINATE),
            ).where(runs.c.instance_id == instance_id)
        ).one()
        if over or (closed and not again):
            raise has_ended(instance_id)
        if reason or not again:
            note_reason(connection, instance_id, reason)
        audit.record(connection, HTTPStatus.ACCEPTED)
        if withdraw(connection, instance_id, State.TERMINATED):
            return True
        put_command(connection, instance_id, Action.TERMINATE)
    fenced = fence(engine, instance_id)
    if fenced is False:
        raise has_ended(instance_id)
    return bool(fenced)


def repair(engine: Engine, instance_id: str, reason: str) -> None:
    """Accept that a run is freed; a 409 if it has ended. Whether it is frozen, the caller knows."""
    audit.because(reason)
    with engine.begin() as connection:
        take_turns(connection, instance_id)
        if connection.scalar(select(runs.c.terminal).where(runs.c.instance_id == instance_id)):
            raise has_ended(instance_id)
        put_command(connection, instance_id, Action.REPAIR)
        audit.record(connection, HTTPStatus.ACCEPTED)


def refuse_to_repair(instance_id: str, frozen: Frozen | None) -> None:
    """Raise a 409 for a run that is not frozen, or that a repair would not put right."""
    if frozen is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "The run is not frozen",
            f"Ask why it waits: holdfast wf why {instance_id}",
        )
    if not frozen.repairable:
        raise Problem(HTTPStatus.CONFLICT, "The run cannot be repaired", frozen.sentence)


def repeatable(source: Run) -> Workflow[Any, Any]:
    """Return the workflow to run again for a run that has ended; a 409 if it has not."""
    flow = flow_of(source.workflow)
    if not source.state.terminal:
        raise Problem(
            HTTPStatus.CONFLICT,
            "The run has not ended",
            f"{source.instance_id} is {source.state}; it can run again when it has ended.",
        )
    return flow


def purge(engine: Engine, instance_id: str) -> None:
    """Delete what is known of a run that has ended; a 409 if it has not."""
    with engine.begin() as connection:
        if not purge_where(connection, runs.c.instance_id == instance_id, limit=1):
            raise Problem(
                HTTPStatus.CONFLICT,
                "The run has not ended",
                f"{instance_id} can be purged when it has: terminate or cancel it first.",
            )
        audit.record(connection, HTTPStatus.NO_CONTENT)


def enforce_deadline(engine: Engine, instance_id: str, workflow: str) -> None:
    """End a run whose time is up, gently if its workflow can undo what it did."""
    reason = "its deadline has passed"
    with _unless_it_has_ended():
        if (flow := WORKFLOWS.get(workflow)) is not None and flow.cancellable:
            cancel(engine, instance_id, workflow, reason)
        else:
            terminate(engine, instance_id, reason)


def end_grace(engine: Engine, instance_id: str, _workflow: str) -> None:
    """End a run where it stands that was cancelled by its deadline, and has not ended since."""
    with _unless_it_has_ended():
        reason = "its deadline has passed, and what it did was not undone in the time for that"
        terminate(engine, instance_id, reason)


@contextmanager
def _unless_it_has_ended() -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        if problem.status != HTTPStatus.CONFLICT:
            raise


def flow_of(workflow: str) -> Workflow[Any, Any]:
    """Return the workflow of a run, or raise a 409: the run was started by other means."""
    flow = WORKFLOWS.get(workflow)
    if flow is None or flow.internal:
        raise Problem(
            HTTPStatus.CONFLICT,
            "The workflow is not offered here",
            f"{workflow} is not in the catalogue, so nothing is known of what it can take.",
        )
    return flow


def not_cancellable(workflow: str) -> Problem:
    """Return the 409 for a run that cannot be cancelled."""
    return Problem(
        HTTPStatus.CONFLICT,
        "The run cannot be cancelled",
        f"{workflow} declares no cancellation: it has nothing that could be undone.",
    )


def has_ended(instance_id: str) -> Problem:
    """Return the 409 for a run that has ended."""
    return Problem(HTTPStatus.CONFLICT, "The run has finished", f"{instance_id} has ended.")
