"""The states of a run, and the one direction in which they go."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from holdfast_contracts.book_trip import TripOutcome
from holdfast_contracts.core import CANCEL, SUSPENDED_STATUS, Workflow


class State(StrEnum):
    """What the API says of a run. The engine knows no CANCELLED; see `state_of`."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Tell whether the run has ended; it stays in such a state for good."""
        return self in TERMINAL


TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.TERMINATED, State.CANCELLED})

#: The engine's word for a run that it has set aside.
STALLED = "STALLED"
#: A stalled run waits for a worker of the right version: to its owner it is running.
_FROM_ENGINE = {
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    STALLED: State.RUNNING,
    "CONTINUED_AS_NEW": State.RUNNING,
    "SUSPENDED": State.SUSPENDED,
    "COMPLETED": State.COMPLETED,
    "FAILED": State.FAILED,
    "TERMINATED": State.TERMINATED,
}


def state_of(
    flow: Workflow[Any, Any] | None,
    engine_status: str,
    output: Any,
    custom_status: Any,
) -> State:
    """Return the state that the engine's word stands for.

    A run whose workflow can be cancelled and that completed with the outcome "cancelled" is
    CANCELLED; one that stands at the gate between steps is SUSPENDED.
    """
    state = _FROM_ENGINE.get(engine_status, State.RUNNING)
    if state is State.COMPLETED and flow is not None and flow.event(CANCEL.name) is not None:
        outcome = output.get("outcome") if isinstance(output, dict) else None
        return State.CANCELLED if outcome == TripOutcome.CANCELLED else state
    if state is State.RUNNING and custom_status == SUSPENDED_STATUS:
        return State.SUSPENDED
    return state


def predecessors(state: State) -> frozenset[State]:
    """Return the states that a run may be in just before, the state itself included.

    A run goes PENDING, then RUNNING or SUSPENDED as often as it likes, then to one end.
    """
    if state is State.PENDING:
        return frozenset({State.PENDING})
    return frozenset(State) - TERMINAL
