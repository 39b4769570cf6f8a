"""Deciding an order: by the caller and nobody else, and never one's own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool
from sqlalchemy import Engine, select

from holdfast_contracts.core import Event, Model
from holdfast_contracts.request_escalation import HUMAN_APPROVAL, Approval
from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents
from holdfast_status_api.auth.callers import Caller
from holdfast_status_api.index import Run
from holdfast_status_api.tables import requests


class ApprovalBody(Model):
    """A decision about an order, as it comes from outside."""

    approved: StrictBool
    comment: Annotated[str, Field(max_length=2000)] = ""
    by: Any = Field(
        default=None, description="Ignored: who decided is whoever the token belongs to."
    )


def body_of(event: Event) -> type[BaseModel]:
    """Return the model of what comes as the data of an event from outside."""
    return ApprovalBody if event.name == HUMAN_APPROVAL.name else event.data


def data_of(event: Event, document: Any, who: Caller) -> BaseModel:
    """Return the event's data, with what only the service may say of it; or raise the 422."""
    body = documents.validate(body_of(event), document)
    if isinstance(body, ApprovalBody):
        return Approval(approved=body.approved, by=who.subject, comment=body.comment)
    return body


def refuse_own(engine: Engine, event: Event, run: Run, who: Caller) -> None:
    """Raise the 403 for whoever decides an order that they requested, whatever their role."""
    if event.name == HUMAN_APPROVAL.name and is_own(engine, run, who):
        what = "this order" if run.requested_by == who.subject else "an order that this one repeats"
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "An order of one's own",
            f"{who.subject} requested {what}; somebody else has to decide it.",
        )


def is_own(engine: Engine, run: Run, who: Caller) -> bool:
    """Say whether the caller requested the run, or one that it repeats, however far back."""
    if run.requested_by == who.subject:
        return True
    return run.rerun_of is not None and who.subject in _requesters(engine, run.rerun_of)


def _requesters(engine: Engine, instance_id: str) -> frozenset[str]:
    """Return who requested the run and each that it repeats; a purge leaves that as it was."""
    asked = select(requests.c.rerun_of, requests.c.requested_by)
    first = asked.where(requests.c.instance_id == instance_id).cte("chain", recursive=True)
    chain = first.union(asked.join(first, requests.c.instance_id == first.c.rerun_of))
    with engine.connect() as connection:
        found = connection.scalars(select(chain.c.requested_by)).all()
    return frozenset(subject for subject in found if subject is not None)
