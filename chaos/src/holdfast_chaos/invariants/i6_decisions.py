"""I6: an order is decided once, and an approval that was promised in time is what decides it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from holdfast_chaos.facts import DONE, key
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.model.request_escalation import BRANCHES, needs_a_person, parsed
from holdfast_contracts.request_escalation import (
    HANDLE_TIMEOUT,
    HUMAN_APPROVAL,
    PROCESS_APPROVAL,
    RECORD_DECISION,
    REQUEST_ESCALATION,
    Verdict,
)

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast_chaos.facts import DecisionRow
    from holdfast_chaos.observations import EventSeen
    from holdfast_chaos.world import DeclaredRun, World

ID = "I6"
TITLE = "One decision per order; an approval acknowledged before the deadline wins"


def check(world: World) -> InvariantResult:
    """Check every order's decision against its branch, its events and its deadline."""
    orders = world.of(REQUEST_ESCALATION.name)
    tally = Tally(due=len(orders))
    for run in orders:
        rows = world.ledger.decisions_of.get(run.instance, ())
        if not needs_a_person(run):
            tally.check(not rows, f"{run.instance}: below the threshold, yet a person decided")
            continue
        found = f"{run.instance}: {len(rows)} decisions"
        if tally.check(len(rows) == 1, found):
            _check_branch(run, rows[0], world, tally)
            _check_event(run, rows[0], world, tally)
            _check_deadline(run, rows[0], world, tally)
    return tally.result(ID, TITLE)


def _check_branch(run: DeclaredRun, row: DecisionRow, world: World, tally: Tally) -> None:
    """Check that only the decided branch took effect, and that all tell one verdict."""
    timed_out = row.verdict == Verdict.TIMED_OUT
    allowed = (HANDLE_TIMEOUT if timed_out else PROCESS_APPROVAL).name
    taken = [
        effect.step
        for effect in world.ledger.effects_of.get(run.instance, ())
        if effect.step in BRANCHES and effect.kind == DONE
    ]
    for step in taken:
        tally.check(step == allowed, f"{run.instance}: {row.verdict}, yet {step} took effect")
    recorded = world.ledger.effect.get(key(run.instance, RECORD_DECISION.name))
    history = world.histories.get(run.instance)
    told: list[tuple[str, Any]] = []
    if recorded is not None:
        told.append(("the step that decided returned", recorded.result))
    if history is not None and history.status == "COMPLETED":
        told.append(("the run returned", history.output))
    for teller, value in told:
        verdict = value.get("verdict") if isinstance(value, Mapping) else value
        tally.check(
            verdict == row.verdict,
            f"{run.instance}: {row.verdict} is on record, {teller} {verdict}",
        )


def _check_event(run: DeclaredRun, row: DecisionRow, world: World, tally: Tally) -> None:
    """Check that a person sent what a person decided, and that it is used up once."""
    if row.verdict == Verdict.TIMED_OUT:
        return
    sent = [e for e in _approvals(run, world) if e.possible]
    wanted = row.verdict == Verdict.APPROVED
    tally.check(
        any(bool(event.data.get("approved")) is wanted for event in sent),
        f"{run.instance}: {row.verdict}, which nobody said",
    )
    stored = {event.event_id: event for event in world.ledger.events}
    accepted = None if row.event_id is None else stored.get(row.event_id)
    tally.check(
        accepted is not None and accepted.instance == run.instance,
        f"{run.instance}: decided by event {row.event_id}, which the API never accepted for it",
    )
    used = [c for c in world.ledger.consumed_events if c.event_id == row.event_id]
    tally.check(
        len(used) == 1 and used[0].instance == run.instance,
        f"{run.instance}: event {row.event_id} is marked as consumed {len(used)} times",
    )


def _check_deadline(run: DeclaredRun, row: DecisionRow, world: World, tally: Tally) -> None:
    due = _due(run, world)
    if due is None:
        tally.check(
            row.verdict != Verdict.TIMED_OUT, f"{run.instance}: timed out without a deadline"
        )
        return
    slack = timedelta(seconds=world.bounds.clock_seconds)
    promised = [e for e in _approvals(run, world) if e.accepted and e.answered_at < due - slack]
    if promised:
        first = min(promised, key=lambda event: event.answered_at)
        tally.check(
            row.verdict != Verdict.TIMED_OUT,
            f"{run.instance}: timed out, although an answer was accepted at {first.answered_at}, "
            f"before the deadline {due}",
        )
        # Two that overlap may be accepted in either order; the first of any others must win.
        rivals = [e for e in promised if e is not first and e.sent_at <= first.answered_at]
        if not rivals and row.verdict != Verdict.TIMED_OUT:
            said = Verdict.APPROVED if first.data.get("approved") else Verdict.REJECTED
            tally.check(
                row.verdict == said,
                f"{run.instance}: {row.verdict}, but the first accepted answer was {said.value}",
            )
    if row.verdict == Verdict.TIMED_OUT:
        tally.check(
            row.decided_at >= due - slack,
            f"{run.instance}: timed out at {row.decided_at}, before the deadline {due}",
        )


def _due(run: DeclaredRun, world: World) -> datetime | None:
    """Return when the window closed, by the engine's timer."""
    history = world.histories.get(run.instance)
    if history is None or history.started_at is None:
        return None
    window = timedelta(seconds=parsed(run).approval_window_seconds)
    # Retries have timers of their own; the window's is the first that is due after its length.
    # Counted from the start: a slow turn writes the timer down late.
    began = history.started_at
    dues = [due for _, due, _ in history.timers if due - began >= window * 0.9]
    return min(dues) if dues else None


def _approvals(run: DeclaredRun, world: World) -> tuple[EventSeen, ...]:
    return world.observations.events_of(run.instance, HUMAN_APPROVAL.name)
