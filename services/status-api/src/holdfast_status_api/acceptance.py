"""Accepting a run: its row is committed, then it is accepted, whatever else is down."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from sqlalchemy import Engine, select

from holdfast_contracts.core import Workflow
from holdfast_servicekit import tracing
from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents
from holdfast_status_api.acceptance_statement import accepting, entry_parameters
from holdfast_status_api.auth import audit
from holdfast_status_api.tables import requests


@dataclass(frozen=True)
class AcceptedRun:
    """The promise that a 202 makes."""

    instance_id: str
    workflow: str
    accepted_at: datetime


@dataclass(frozen=True)
class Terms:
    """When a run may start, when it must have ended, and which run it repeats, from where."""

    start_at: datetime | None = None
    deadline: datetime | None = None
    rerun_of: str | None = None
    rerun_event: int | None = None

    def named(self) -> list[list[str]]:
        """Return those that are given, for the request's fingerprint."""
        return [[name, str(value)] for name, value in vars(self).items() if value is not None]

    def fault_of_deadline(self) -> str | None:
        """Return why no run could keep the deadline, or ``None`` if one could."""
        if self.deadline is None:
            return None
        if self.deadline <= datetime.now(UTC):
            return "has passed already"
        if self.start_at is not None and self.deadline <= self.start_at:
            return "must be later than the start"
        return None


_NO_TERMS = Terms()


def accept_run(
    engine: Engine,
    flow: Workflow[Any, Any],
    document: Any,
    *,
    instance_id: str | None,
    idempotency_key: str | None,
    requested_by: str | None = None,
    terms: Terms = _NO_TERMS,
) -> AcceptedRun:
    """Commit the request to run a workflow and return it.

    The same idempotency key with the same request returns the run that the first made, also when
    both come at once; with another request it is a 422. An instance ID is given once, for ever:
    a second use is a 409, and the run of that ID is untouched.
    """
    asked_for = documents.fingerprint(flow.name, instance_id, document, *terms.named())
    row_id = instance_id or uuid.uuid4().hex
    entry = audit.entry_of(HTTPStatus.ACCEPTED, row_id)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        accepted_at = connection.scalar(
            accepting(audited=entry is not None),
            {
                "instance_id": row_id,
                "workflow": flow.name,
                "input": document,
                "idempotency_key": idempotency_key,
                "payload_hash": asked_for,
                "requested_by": requested_by,
                "traceparent": tracing.traceparent(),
                **vars(terms),
                **entry_parameters(entry),
            },
        )
        if accepted_at is not None:
            audit.recorded(HTTPStatus.ACCEPTED, row_id)
            return AcceptedRun(row_id, flow.name, accepted_at)
        if idempotency_key is not None:
            first = connection.execute(
                select(requests).where(requests.c.idempotency_key == idempotency_key)
            ).one_or_none()
            if first is not None and first.payload_hash == asked_for:
                return AcceptedRun(first.instance_id, first.workflow, first.accepted_at)
            if first is not None:
                raise key_reused("Idempotency-Key")
    raise Problem(
        HTTPStatus.CONFLICT,
        "The instance ID is taken",
        f"{row_id} was used before. An ID is given once, also after its run has ended.",
        instance_id=row_id,
    )


def key_reused(header: str) -> Problem:
    """Return the 422 for an idempotency key that came with another request before."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another request",
        "Use a new key for a new request; repeat a request exactly to get its first answer.",
        errors=[{"header": header, "detail": "was used with another payload, workflow or ID"}],
    )
