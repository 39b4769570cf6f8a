"""The same to many runs: first a dry run that counts them, then the deed with its token."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS, WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND
from holdfast_servicekit.problems import Problem
from holdfast_status_api import operations
from holdfast_status_api.acceptance import Terms, accept_run
from holdfast_status_api.auth import audit
from holdfast_status_api.doctor import Doctor
from holdfast_status_api.index import RunIndex
from holdfast_status_api.listing import Filters, count
from holdfast_status_api.looking import known_run
from holdfast_status_api.states import State
from holdfast_status_api.tables import bulk_tokens, runs

#: What one request does; a token is for one request.
MOST = 1000
_VALID_FOR = timedelta(minutes=10)

#: What is said of each run where nothing was said of all.
_ONE_OF_MANY = "one of many"
ACTIONS = ("suspend", "resume", "cancel", "terminate", "repair", "rerun", "purge")
#: What may be confirmed again with its token: done twice, it has been done once.
_REPEATABLE = frozenset({"rerun"})


@dataclass(frozen=True)
class DryRun:
    """How many runs an action would meet, and the token that lets it happen."""

    count: int
    token: str
    expires_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of each run: the accepted ones, and the refused ones with the reason."""

    accepted: list[str]
    refused: list[tuple[str, str]]


def rehearse(engine: Engine, action: str, filters: Filters, subject: str, doctor: Doctor) -> DryRun:
    """Count the runs that would be met, and give the subject a token for exactly this."""
    token = secrets.token_urlsafe(24)
    met = _met(action, filters, doctor)
    with engine.begin() as connection:
        number = count(connection, filters, met)
        if number > MOST:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "Too many runs at once",
                f"The filters mean {number} runs; one request may mean {MOST}. Narrow them.",
                count=number,
            )
        expires_at = connection.scalar(
            insert(bulk_tokens)
            .values(
                digest=_digest(token),
                subject=subject,
                action=action,
                filters=filters.canonical(),
                expires_at=func.clock_timestamp() + _VALID_FOR,
            )
            .returning(bulk_tokens.c.expires_at)
        )
    if expires_at is None:
        raise LookupError("an INSERT with RETURNING that always has a row had none")
    return DryRun(number, token, expires_at)


def perform(
    engine: Engine,
    action: str,
    filters: Filters,
    subject: str,
    doctor: Doctor,
    token: str,
    reason: str = "",
) -> Outcome:
    """Do it to the runs that the dry run could see; a run that was accepted later is not met.

    A run that refuses, because it changed in the meantime, does not keep the others from it.
    A rerun that is confirmed again, at once or after its process died, starts what was not yet
    started of the same runs, and nothing twice.
    """
    met = _met(action, filters, doctor)
    with engine.begin() as connection:
        as_of = _use(connection, action, filters, subject, token)
        seen = [runs.c.accepted_at <= as_of]
        if action == "rerun":
            # What ended since the count is no part of it, however often this is confirmed.
            seen.append(func.greatest(runs.c.finished_at, runs.c.observed_at) <= as_of)
        found = connection.execute(
            select(runs.c.instance_id, runs.c.workflow)
            .where(*filters.conditions(), met, *seen)
            .order_by(runs.c.accepted_at, runs.c.instance_id)
            .limit(MOST)
        ).all()
    outcome = Outcome([], [])
    for instance_id, workflow in found:
        audit.about(f"{action}/{instance_id}")
        audit.because(reason)
        try:
            if action == "rerun":
                _rerun(engine, instance_id, subject, token)
            else:
                _apply(engine, action, instance_id, workflow, reason or _ONE_OF_MANY)
            outcome.accepted.append(instance_id)
        except Problem as problem:
            outcome.refused.append((instance_id, str(problem)))
    audit.about(action)
    audit.because(reason)
    return outcome


def _use(
    connection: Connection, action: str, filters: Filters, subject: str, token: str
) -> datetime:
    """Use the token, and return when its dry run was; a 422 for one that does not fit."""
    fits = [
        bulk_tokens.c.digest == _digest(token),
        bulk_tokens.c.subject == subject,
        bulk_tokens.c.action == action,
        bulk_tokens.c.filters == filters.canonical(),
        bulk_tokens.c.expires_at > func.clock_timestamp(),
    ]
    if action not in _REPEATABLE:
        fits.append(bulk_tokens.c.used_at.is_(None))
    as_of: datetime | None = connection.scalar(
        update(bulk_tokens)
        .where(*fits)
        .values(used_at=func.clock_timestamp())
        .returning(bulk_tokens.c.as_of)
    )
    if as_of is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The token does not fit",
            "It is unknown, used, expired, or was given to another caller, for another action,"
            " or for other filters. Ask without a token first.",
            errors=[{"pointer": "/token", "detail": "is of no dry run of this request"}],
        )
    return as_of


def _met(action: str, filters: Filters, doctor: Doctor) -> ColumnElement[bool]:
    """Return which of the runs an action is for, as SQL; which are frozen, the doctor finds."""
    if action != "repair":
        return _applicable(action)
    patients = doctor.examine(filters).patients
    frozen = [patient.run.instance_id for patient in patients if patient.frozen.repairable]
    return ~runs.c.terminal & runs.c.instance_id.in_(frozen)


def _applicable(action: str) -> ColumnElement[bool]:
    match action:
        case "purge":
            return runs.c.terminal
        case "rerun":
            return runs.c.terminal & runs.c.workflow.in_(sorted(PUBLIC_WORKFLOWS))
        case "suspend":
            return ~runs.c.terminal & (runs.c.state != State.SUSPENDED)
        case "resume":
            return runs.c.state == State.SUSPENDED
        case "cancel":
            able = sorted(flow.name for flow in WORKFLOWS.values() if flow.cancellable)
            return ~runs.c.terminal & runs.c.workflow.in_(able)
        case _:
            return ~runs.c.terminal


def _apply(engine: Engine, action: str, instance_id: str, workflow: str, reason: str) -> None:
    match action:
        case "purge":
            operations.purge(engine, instance_id)
        case "suspend":
            operations.signal(engine, instance_id, SUSPEND, reason)
        case "resume":
            operations.signal(engine, instance_id, RESUME, reason)
        case "cancel":
            operations.cancel(engine, instance_id, workflow, reason)
        case "repair":
            operations.repair(engine, instance_id, reason)
        case _:
            operations.terminate(engine, instance_id, reason)


def _rerun(engine: Engine, instance_id: str, subject: str, token: str) -> None:
    """Accept a new run with the input of one that has ended; with one token, once."""
    source = known_run(RunIndex(engine), instance_id)
    accept_run(
        engine,
        operations.repeatable(source),
        source.input,
        instance_id=None,
        # With blanks, which the key of no request has.
        idempotency_key=f"bulk {_digest(token)} {instance_id}",
        requested_by=subject,
        terms=Terms(rerun_of=instance_id),
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
