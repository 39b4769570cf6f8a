"""Deciding an order: by the caller and nobody else, and never one's own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool

from holdfast_contracts.core import Event, Model
from holdfast_contracts.request_escalation import HUMAN_APPROVAL, Approval
from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents
from holdfast_status_api.auth.callers import Caller


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


def refuse_own(event: Event, requested_by: str | None, who: Caller) -> None:
    """Raise the 403 for whoever decides an order that they requested, whatever their role."""
    if event.name == HUMAN_APPROVAL.name and requested_by == who.subject:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "An order of one's own",
            f"{who.subject} requested this order; somebody else has to decide it.",
        )
