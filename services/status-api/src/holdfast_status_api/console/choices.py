"""What the caller can do to a run now: what the role allows and the state permits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Engine, select

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.request_escalation import HUMAN_APPROVAL
from holdfast_status_api import approvals
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.console.frame import may
from holdfast_status_api.frozen import Frozen
from holdfast_status_api.index import Run
from holdfast_status_api.states import State
from holdfast_status_api.tables import decisions


class Action(StrEnum):
    """What can be done to a run."""

    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"
    TERMINATE = "terminate"
    REPAIR = "repair"
    RERUN = "rerun"
    PURGE = "purge"

    @property
    def route(self) -> str:
        """The route of the API that does it."""
        return "DELETE /runs/{run}" if self is Action.PURGE else f"POST /runs/{{run}}/{self}"


#: What asks for a second thought, on a page of its own.
CONFIRMED = frozenset({Action.CANCEL, Action.TERMINATE, Action.RERUN, Action.PURGE})


@dataclass(frozen=True)
class Choices:
    """The actions that are offered."""

    actions: tuple[Action, ...]
    #: Whether an order waits for a decision that the caller may make.
    decide: bool
    #: Somebody else has to decide: it is the caller's own order.
    own_order: bool


def of(engine: Engine, run: Run, frozen: Frozen | None = None) -> Choices:
    """Return what is offered for the run."""
    flow = PUBLIC_WORKFLOWS.get(run.workflow)
    open_ = not run.state.terminal
    offered = {
        Action.SUSPEND: open_ and run.state is not State.SUSPENDED,
        Action.RESUME: run.state is State.SUSPENDED,
        Action.CANCEL: open_ and flow is not None and flow.cancellable,
        Action.TERMINATE: open_,
        Action.REPAIR: frozen is not None and frozen.repairable,
        Action.RERUN: run.state.terminal and flow is not None,
        Action.PURGE: run.state.terminal,
    }
    undecided = (
        open_
        and flow is not None
        and flow.event(HUMAN_APPROVAL.name) is not None
        and may("POST /runs/{run}/events/human_approval")
        and not _is_decided(engine, run.instance_id)
    )
    own = undecided and approvals.is_own(engine, run, caller())
    return Choices(
        tuple(action for action, possible in offered.items() if possible and may(action.route)),
        decide=undecided and not own,
        own_order=own,
    )


def _is_decided(engine: Engine, instance_id: str) -> bool:
    query = select(decisions.c.verdict).where(decisions.c.instance == instance_id)
    with engine.connect() as connection:
        return connection.scalar(query) is not None
