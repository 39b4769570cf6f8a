"""What an order must leave: an approval at once, or one decision and the branch that it opens.

Which branch is a race. The model takes the branch that was taken and wants its effects whole;
whether it was the right one is judged by the invariant on decisions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from holdfast_chaos.facts import key
from holdfast_chaos.model.expectation import Expectation, Expected, fields
from holdfast_contracts.request_escalation import (
    AUTO_APPROVE,
    HANDLE_TIMEOUT,
    PROCESS_APPROVAL,
    RECORD_DECISION,
    RequestEscalationInput,
    Verdict,
)

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World

#: Each step, and those that must have taken effect before it begins.
CAUSES = {
    PROCESS_APPROVAL.name: (RECORD_DECISION.name,),
    HANDLE_TIMEOUT.name: (RECORD_DECISION.name,),
}

BRANCHES = (PROCESS_APPROVAL.name, HANDLE_TIMEOUT.name)


def order(run: DeclaredRun) -> dict[str, Any]:
    """Return the order as an object, whether it was sent as one or as text."""
    raw = json.loads(run.input) if isinstance(run.input, str) else run.input
    return dict(raw)


def parsed(run: DeclaredRun) -> RequestEscalationInput:
    """Return the order with its defaults filled in."""
    return RequestEscalationInput.model_validate(order(run))


def needs_a_person(run: DeclaredRun) -> bool:
    """Tell whether the order is too large to be approved at once."""
    return parsed(run).amount >= parsed(run).approval_threshold


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return the effects of an order."""
    amount = float(parsed(run).amount)
    if not needs_a_person(run):
        approved = fields(verdict=Verdict.APPROVED.value, amount=amount)
        return Expectation(
            {key(run.instance, AUTO_APPROVE.name): Expected(approved)},
            status="COMPLETED",
            output=approved,
        )
    effects = {key(run.instance, RECORD_DECISION.name): Expected()}
    for branch in _taken(run.instance, world):
        effects[key(run.instance, branch)] = Expected(fields(amount=amount))
    return Expectation(effects, status="COMPLETED", output=fields(amount=amount))


def _taken(instance: str, world: World) -> tuple[str, ...]:
    seen = world.ledger.steps_seen(instance)
    taken = tuple(branch for branch in BRANCHES if branch in seen)
    if taken:
        return taken
    timed_out = any(
        decision.verdict == Verdict.TIMED_OUT
        for decision in world.ledger.decisions_of.get(instance, ())
    )
    return (HANDLE_TIMEOUT.name if timed_out else PROCESS_APPROVAL.name,)
