"""Human in the loop: a large order waits for a person, or for its window to close.

For decisions that take days. It survives the race between an approval and the time-out: whichever
of them the engine shows first, one activity decides once, in the database, where an approval that
the API accepted wins; only then does either branch act.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from holdfast_contracts.core import RaisedEvent
from holdfast_contracts.request_escalation import (
    AUTO_APPROVE,
    HANDLE_TIMEOUT,
    HUMAN_APPROVAL,
    PROCESS_APPROVAL,
    RECORD_DECISION,
    Approval,
    AutoApprove,
    HandleTimeout,
    OrderOutcome,
    ProcessApproval,
    RecordDecision,
    RequestEscalationInput,
    Verdict,
)
from holdfast_orchestrator.durable import Run, Steps, call, wait_for_event


def request_escalation(run: Run, request: RequestEscalationInput) -> Steps[OrderOutcome]:
    """Return the one decision that the order got."""
    order: dict[str, Any] = request.model_dump(mode="json", exclude={"retry"})
    if request.amount < request.approval_threshold:
        approve = AutoApprove(
            key=run.key(AUTO_APPROVE), instance=run.id, closes_run=True, order=order
        )
        return (yield from call(run, AUTO_APPROVE, approve))

    raised = yield from wait_for_event(run, HUMAN_APPROVAL, request.approval_window_seconds)
    approval = _approval(raised)
    decision = yield from call(
        run,
        RECORD_DECISION,
        RecordDecision(
            key=run.key(RECORD_DECISION),
            instance=run.id,
            approval=approval,
            event_id=raised.event_id if raised and approval else None,
        ),
    )
    if decision.verdict is Verdict.TIMED_OUT:
        timeout = HandleTimeout(
            key=run.key(HANDLE_TIMEOUT), instance=run.id, closes_run=True, order=order
        )
        return (yield from call(run, HANDLE_TIMEOUT, timeout))
    process = ProcessApproval(
        key=run.key(PROCESS_APPROVAL),
        instance=run.id,
        closes_run=True,
        order=order,
        decision=decision,
    )
    return (yield from call(run, PROCESS_APPROVAL, process))


def _approval(raised: RaisedEvent | None) -> Approval | None:
    """Read the approval; one that did not come through the API may be none, and decides nothing."""
    if raised is None:
        return None
    try:
        return Approval.model_validate(raised.data)
    except ValidationError:
        return None
