"""Human in the loop: a large order waits for an approval or for a time-out, decided once."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from holdfast_contracts.core import Activity, Command, Event, Model, RetryPolicy, Seconds, Workflow

SEVEN_DAYS_SECONDS = 7 * 24 * 3600.0


class RequestEscalationInput(Model):
    """An order: a JSON object with an amount, or a string that holds one. Other fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    amount: Annotated[float, Field(strict=True, ge=0, le=1e12)]
    #: Orders below this amount are approved at once.
    approval_threshold: Annotated[float, Field(gt=0, le=1e12)] = 1000.0
    approval_window_seconds: Annotated[Seconds, Field(gt=0, le=366 * 86400)] = SEVEN_DAYS_SECONDS
    retry: RetryPolicy = RetryPolicy()

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            message = f"the string does not hold a JSON object: {error}"
            raise ValueError(message) from error

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "contentMediaType": "application/json"}
        return {"anyOf": [handler(schema), text]}


class Approval(Model):
    """What a person decided about an order."""

    approved: StrictBool
    by: Annotated[str, Field(min_length=1, max_length=200)]
    comment: Annotated[str, Field(max_length=2000)] = ""


class Verdict(StrEnum):
    """The one decision that an order gets."""

    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"


class RecordDecision(Command):
    """Decide an order once, by the approval that arrived or by its time-out.

    Whatever is asked for, the earliest approval that the API accepted wins.
    """

    approval: Approval | None = None
    event_id: str | None = None

    hints: ClassVar[frozenset[str]] = frozenset({"approval", "event_id"})


class Decision(Model):
    """The decision that won."""

    verdict: Verdict
    by: str
    comment: str = ""
    event_id: str | None = None


class AutoApprove(Command):
    """Approve a small order without a person."""

    order: dict[str, Any]


class ProcessApproval(Command):
    """Carry out what a person decided."""

    order: dict[str, Any]
    decision: Decision


class HandleTimeout(Command):
    """Close an order that nobody decided in time."""

    order: dict[str, Any]


class OrderOutcome(Model):
    """What became of the order."""

    verdict: Verdict
    by: str
    amount: float


AUTO_APPROVE = Activity("auto_approve_activity", AutoApprove, OrderOutcome)
RECORD_DECISION = Activity("record_decision", RecordDecision, Decision)
PROCESS_APPROVAL = Activity("process_approval_activity", ProcessApproval, OrderOutcome)
HANDLE_TIMEOUT = Activity("handle_timeout_activity", HandleTimeout, OrderOutcome)

HUMAN_APPROVAL = Event("human_approval", Approval, "Approve or reject the order.")

REQUEST_ESCALATION = Workflow(
    "request_escalation",
    RequestEscalationInput,
    OrderOutcome,
    "Approve a small order at once; let a person decide a large one, or time out.",
    activities=(AUTO_APPROVE, RECORD_DECISION, PROCESS_APPROVAL, HANDLE_TIMEOUT),
    events=(HUMAN_APPROVAL,),
)
