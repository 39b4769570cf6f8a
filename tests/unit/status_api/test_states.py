from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_contracts.book_trip import BOOK_TRIP, BookTripOutput, TripOutcome
from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import SUSPENDED_STATUS
from holdfast_contracts.task_chain import TASK_CHAIN
from holdfast_status_api.states import TERMINAL, State, predecessors, state_of


@given(st.lists(st.sampled_from(State)))
def test_whatever_order_reports_come_in_a_state_never_goes_back(reports: list[State]) -> None:
    seen = [State.PENDING]
    for report in reports:
        if seen[-1] in predecessors(report):
            seen.append(report)
    ends = [state for state in seen if state.terminal]
    assert len(ends) <= 1
    assert not ends or seen[-1] is ends[0]
    later = seen[
        next((n for n, state in enumerate(seen) if state is not State.PENDING), len(seen)) :
    ]
    assert State.PENDING not in later


def test_every_state_that_is_no_end_can_be_followed_by_every_end() -> None:
    for end in TERMINAL:
        assert predecessors(end) == frozenset(State) - TERMINAL


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(TripOutcome.CANCELLED, State.CANCELLED), (TripOutcome.BOOKED, State.COMPLETED)],
)
def test_a_trip_that_was_cancelled_is_shown_as_cancelled(
    outcome: TripOutcome, state: State
) -> None:
    output = BookTripOutput(outcome=outcome).model_dump(mode="json")
    assert state_of(BOOK_TRIP, "COMPLETED", output, None) is state


def test_a_workflow_that_cannot_be_cancelled_never_shows_as_cancelled() -> None:
    assert state_of(TASK_CHAIN, "COMPLETED", {"outcome": "cancelled"}, None) is State.COMPLETED


def test_a_run_at_the_gate_is_suspended_until_it_ends() -> None:
    assert state_of(TASK_CHAIN, "RUNNING", None, SUSPENDED_STATUS) is State.SUSPENDED
    assert state_of(TASK_CHAIN, "FAILED", None, SUSPENDED_STATUS) is State.FAILED


@given(st.sampled_from(list(PUBLIC_WORKFLOWS.values())), st.text(), st.none() | st.text())
def test_a_status_that_nobody_has_heard_of_is_not_taken_for_an_end(
    flow: object, status: str, custom: str | None
) -> None:
    known = {"COMPLETED", "FAILED", "TERMINATED"}
    assert status in known or not state_of(TASK_CHAIN, status, None, custom).terminal
