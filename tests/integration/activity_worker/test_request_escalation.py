from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast_contracts.agreements import event_lock
from holdfast_contracts.core import CLOSE_RUN
from holdfast_contracts.errors import PermanentError
from holdfast_contracts.request_escalation import (
    AUTO_APPROVE,
    HANDLE_TIMEOUT,
    HUMAN_APPROVAL,
    PROCESS_APPROVAL,
    RECORD_DECISION,
    Approval,
    Decision,
    OrderOutcome,
    Verdict,
)
from tests.integration.activity_worker.hands import (
    Admin,
    Hands,
    rows,
    wait_until_blocked,
)

BO = {"approved": True, "by": "bo", "comment": "fine"}
CY = {"approved": False, "by": "cy", "comment": ""}


@pytest.fixture(autouse=True)
def _accepted_run(admin: Admin, run: str) -> None:
    admin.execute(
        "INSERT INTO status.requests (instance_id, workflow, input, payload_hash) "
        "VALUES (%s, 'request_escalation', '{}', '')",
        (run,),
    )


def accept(admin: Admin, run: str, number: int, data: dict[str, Any]) -> str:
    """Accept an event as the status API does."""
    event_id = f"{run}-event-{number}"
    admin.execute(
        "INSERT INTO status.events (event_id, instance_id, name, data, payload_hash) "
        "VALUES (%s, %s, %s, %s, '')",
        (event_id, run, HUMAN_APPROVAL.name, json.dumps(data)),
    )
    return event_id


def test_an_accepted_approval_wins_over_the_time_out_and_is_consumed(
    hands: Hands, admin: Admin, run: str
) -> None:
    event_id = accept(admin, run, 1, BO)
    decision = hands.do(RECORD_DECISION, run)
    expected = Decision(verdict=Verdict.APPROVED, by="bo", comment="fine", event_id=event_id)
    assert decision == expected
    query = "SELECT event_id, key FROM ledger.consumed_events WHERE instance = %s"
    assert rows(admin, query, run) == [(event_id, f"{run}|0|record_decision|0")]


def test_the_first_of_two_accepted_approvals_wins_whichever_was_delivered(
    hands: Hands, admin: Admin, run: str
) -> None:
    first = accept(admin, run, 1, BO)
    second = accept(admin, run, 2, CY)
    decision = hands.do(RECORD_DECISION, run, approval=Approval.model_validate(CY), event_id=second)
    assert (decision.verdict, decision.event_id) == (Verdict.APPROVED, first)
    query = "SELECT event_id FROM ledger.consumed_events WHERE instance = %s"
    assert rows(admin, query, run) == [(first,)]


def test_an_approval_that_did_not_come_through_the_api_counts_when_there_is_no_other(
    hands: Hands, run: str
) -> None:
    decision = hands.do(
        RECORD_DECISION, run, approval=Approval.model_validate(CY), event_id="raised-by-hand"
    )
    assert decision == Decision(verdict=Verdict.REJECTED, by="cy", event_id="raised-by-hand")


def test_without_an_approval_the_order_is_timed_out(hands: Hands, admin: Admin, run: str) -> None:
    assert hands.do(RECORD_DECISION, run).verdict is Verdict.TIMED_OUT
    assert rows(admin, "SELECT FROM work.consumed_events WHERE instance = %s", run) == []


def test_a_decision_is_made_once_whatever_is_asked_or_accepted_later(
    hands: Hands, admin: Admin, run: str
) -> None:
    decided = hands.do(RECORD_DECISION, run)
    event_id = accept(admin, run, 1, BO)
    approval = Approval.model_validate(BO)
    # The same step again, with what a turn that was lost had not seen: no divergence.
    assert hands.do(RECORD_DECISION, run, approval=approval, event_id=event_id) == decided
    # Another step: the row that won is read back.
    assert hands.do(RECORD_DECISION, run, 1, approval=approval, event_id=event_id) == decided
    assert rows(admin, "SELECT verdict FROM ledger.decisions WHERE instance = %s", run) == [
        ("timed_out",)
    ]


def test_a_decision_waits_for_an_acceptance_that_is_under_way(
    hands: Hands, admin: Admin, run: str
) -> None:
    with admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (event_lock(run),))
        deciding = hands.begin(RECORD_DECISION, run)
        wait_until_blocked(admin, hands.name, "pg_advisory_xact_lock")
        accept(admin, run, 1, BO)
    assert deciding.result(timeout=30).verdict is Verdict.APPROVED


def test_another_event_of_the_run_is_no_approval(hands: Hands, admin: Admin, run: str) -> None:
    event_id = accept(admin, run, 1, BO)
    admin.execute("UPDATE status.events SET name = 'suspend' WHERE event_id = %s", (event_id,))
    assert hands.do(RECORD_DECISION, run).verdict is Verdict.TIMED_OUT


@pytest.mark.parametrize(
    ("activity", "more", "outcome"),
    [
        (AUTO_APPROVE, {}, OrderOutcome(verdict=Verdict.APPROVED, by="policy", amount=1500.5)),
        (HANDLE_TIMEOUT, {}, OrderOutcome(verdict=Verdict.TIMED_OUT, by="time-out", amount=1500.5)),
        (
            PROCESS_APPROVAL,
            {"decision": Decision(verdict=Verdict.REJECTED, by="cy")},
            OrderOutcome(verdict=Verdict.REJECTED, by="cy", amount=1500.5),
        ),
    ],
)
def test_an_order_is_closed_as_decided_with_all_that_it_said(
    hands: Hands, admin: Admin, run: str, activity: Any, more: dict[str, Any], outcome: OrderOutcome
) -> None:
    order = {"amount": 1500.5, "article": "crane"}
    assert hands.do(activity, run, order=order, closes_run=True, **more) == outcome
    query = "SELECT verdict, by, amount, body FROM work.orders WHERE instance = %s"
    assert rows(admin, query, run) == [(outcome.verdict, outcome.by, 1500.5, order)]
    assert rows(admin, "SELECT instance FROM work.closed_runs WHERE instance = %s", run) == [(run,)]


def test_an_order_without_an_amount_is_refused(hands: Hands, run: str) -> None:
    with pytest.raises(PermanentError, match="the order has no amount"):
        hands.do(AUTO_APPROVE, run, order={"article": "crane"})
    hands.do(CLOSE_RUN, run)
