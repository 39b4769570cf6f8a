"""Decide an order once, and do what was decided."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from holdfast_activity_worker.work import Work, effect
from holdfast_contracts.agreements import event_lock
from holdfast_contracts.core import Command, EffectKey
from holdfast_contracts.errors import PermanentError
from holdfast_contracts.request_escalation import (
    AUTO_APPROVE,
    HANDLE_TIMEOUT,
    HUMAN_APPROVAL,
    PROCESS_APPROVAL,
    RECORD_DECISION,
    Approval,
    AutoApprove,
    Decision,
    HandleTimeout,
    OrderOutcome,
    ProcessApproval,
    RecordDecision,
    Verdict,
)

#: Who decided when no person did.
POLICY = "policy"
TIME_OUT = "time-out"


@effect(AUTO_APPROVE)
def auto_approve_activity(work: Work, command: AutoApprove) -> OrderOutcome:
    """Approve a small order without a person."""
    return _close_order(work, command, command.order, Verdict.APPROVED, POLICY)


@effect(RECORD_DECISION)
def record_decision(work: Work, command: RecordDecision) -> Decision:
    """Return the one decision of the run: an approval that the API accepted wins.

    The lock is the one that acceptance takes, too: an approval is either there now, or is
    accepted when the decision is already made.
    """
    instance = EffectKey.parse(command.key).instance
    work.connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": event_lock(instance)},
    )
    asked = _accepted_approval(work, instance) or _as_asked(command)
    work.connection.execute(
        text(
            "INSERT INTO work.decisions (instance, verdict, by, comment, event_id, key) "
            "VALUES (:instance, :verdict, :by, :comment, :event_id, :key) ON CONFLICT DO NOTHING"
        ),
        {"instance": instance, "key": command.key, **asked.model_dump(mode="json")},
    )
    won = work.connection.execute(
        text(
            "SELECT verdict, by, comment, event_id FROM work.decisions WHERE instance = :instance"
        ),
        {"instance": instance},
    ).one()
    decision = Decision.model_validate(won._asdict())
    if decision.event_id is not None:
        work.consumes.add(decision.event_id)
    return decision


@effect(PROCESS_APPROVAL)
def process_approval_activity(work: Work, command: ProcessApproval) -> OrderOutcome:
    """Close the order as the person decided."""
    decision = command.decision
    return _close_order(work, command, command.order, decision.verdict, decision.by)


@effect(HANDLE_TIMEOUT)
def handle_timeout_activity(work: Work, command: HandleTimeout) -> OrderOutcome:
    """Close an order that nobody decided in time."""
    return _close_order(work, command, command.order, Verdict.TIMED_OUT, TIME_OUT)


def _accepted_approval(work: Work, instance: str) -> Decision | None:
    """Return the earliest approval that the API accepted, delivered or not."""
    row = work.connection.execute(
        text(
            "SELECT event_id, data FROM status.events "
            "WHERE instance_id = :instance AND name = :name ORDER BY seq LIMIT 1"
        ),
        {"instance": instance, "name": HUMAN_APPROVAL.name},
    ).one_or_none()
    return None if row is None else _decided(Approval.model_validate(row.data), row.event_id)


def _as_asked(command: RecordDecision) -> Decision:
    if command.approval is None:
        return Decision(verdict=Verdict.TIMED_OUT, by=TIME_OUT)
    return _decided(command.approval, command.event_id)


def _decided(approval: Approval, event_id: str | None) -> Decision:
    verdict = Verdict.APPROVED if approval.approved else Verdict.REJECTED
    return Decision(verdict=verdict, by=approval.by, comment=approval.comment, event_id=event_id)


def _close_order(
    work: Work, command: Command, order: dict[str, Any], verdict: Verdict, by: str
) -> OrderOutcome:
    amount = order.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise PermanentError(f"the order has no amount but {amount!r}")
    outcome = OrderOutcome(verdict=verdict, by=by, amount=amount)
    work.connection.execute(
        text(
            "INSERT INTO work.orders (instance, verdict, by, amount, body, key) "
            "VALUES (:instance, :verdict, :by, :amount, CAST(:body AS jsonb), :key)"
        ),
        {
            "instance": EffectKey.parse(command.key).instance,
            "key": command.key,
            "body": json.dumps(order),
            **outcome.model_dump(mode="json"),
        },
    )
    return outcome
