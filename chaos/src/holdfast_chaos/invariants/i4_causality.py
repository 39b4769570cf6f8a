"""I4: nothing happens before its cause: a chain in order, a fan-in after all it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast_chaos import model
from holdfast_chaos.facts import DONE
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_contracts.batch_processing import (
    BATCH_PROCESSING,
    GET_WORK_BATCH,
    PROCESS_RESULTS,
    PROCESS_WORK_ITEM,
)
from holdfast_contracts.book_trip import BOOK_CAR, BOOK_FLIGHT, BOOK_HOTEL, BOOK_TRIP
from holdfast_contracts.job_status_monitor import (
    CHECK_JOB_STATUS,
    JOB_STATUS_MONITOR,
    NOTIFY_COMPLETE,
    NOTIFY_FAILURE,
)
from holdfast_contracts.request_escalation import (
    HANDLE_TIMEOUT,
    PROCESS_APPROVAL,
    RECORD_DECISION,
    REQUEST_ESCALATION,
)
from holdfast_contracts.task_chain import ERROR_HANDLER, STEP1, STEP2, STEP3, TASK_CHAIN

if TYPE_CHECKING:
    from holdfast_chaos.facts import Attempt, Effect, LedgerFacts
    from holdfast_chaos.world import World

ID = "I4"
TITLE = "Causes before effects: chains in order, a fan-in after all its parts"

#: By workflow: each step, and the steps all of whose effects must be there before it begins.
CAUSES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    TASK_CHAIN.name: {
        STEP2.name: (STEP1.name,),
        STEP3.name: (STEP2.name,),
        ERROR_HANDLER.name: (STEP1.name,),
    },
    BATCH_PROCESSING.name: {
        PROCESS_WORK_ITEM.name: (GET_WORK_BATCH.name,),
        PROCESS_RESULTS.name: (PROCESS_WORK_ITEM.name,),
    },
    JOB_STATUS_MONITOR.name: {
        NOTIFY_COMPLETE.name: (CHECK_JOB_STATUS.name,),
        NOTIFY_FAILURE.name: (CHECK_JOB_STATUS.name,),
    },
    REQUEST_ESCALATION.name: {
        PROCESS_APPROVAL.name: (RECORD_DECISION.name,),
        HANDLE_TIMEOUT.name: (RECORD_DECISION.name,),
    },
    BOOK_TRIP.name: {BOOK_HOTEL.name: (BOOK_FLIGHT.name,), BOOK_CAR.name: (BOOK_HOTEL.name,)},
}


def check(world: World) -> InvariantResult:
    """Check by sequence number and by attempt that every step came after what it builds on."""
    tally = Tally(due=len(world.promised()))
    for run in world.promised():
        effects = world.ledger.effects_of.get(run.instance, ())
        for effect in effects:
            _check_attempt(effect, world.ledger, tally)
        # Effects that the model does not have are I2's finding, and have no place in an order.
        expected = model.expect(run, world).effects
        known = tuple(effect for effect in effects if effect.key in expected)
        for step, causes in CAUSES[run.workflow].items():
            attempts = world.ledger.attempts_of.get(run.instance, ())
            _check_step(step, causes, known, attempts, tally)
    return tally.result(ID, TITLE)


def _check_attempt(effect: Effect, ledger: LedgerFacts, tally: Tally) -> None:
    """Check that an attempt which wrote itself down first committed the effect."""
    made = None if effect.attempt_id is None else ledger.attempt.get(effect.attempt_id)
    if not tally.check(made is not None, f"{effect.key}: committed by no attempt") or made is None:
        return
    tally.check(
        made.started_at <= effect.committed_at and made.instance == effect.instance,
        f"{effect.key}: committed at {effect.committed_at}, its attempt {made.id} of "
        f"{made.instance} began at {made.started_at}",
    )


def _check_step(
    step: str,
    causes: tuple[str, ...],
    effects: tuple[Effect, ...],
    attempts: tuple[Attempt, ...],
    tally: Tally,
) -> None:
    sooner = [effect for cause in causes for effect in _of_step(effects, cause)]
    if not sooner:
        return
    last = max(sooner, key=lambda effect: effect.seq)
    for effect in _of_step(effects, step):
        tally.check(
            effect.seq > last.seq, f"{effect.key}: took effect before {last.key}, its cause"
        )
    ready = max(effect.committed_at for effect in sooner)
    first = next((attempt for attempt in attempts if attempt.step == step), None)
    if first is not None:
        tally.check(
            first.started_at >= ready,
            f"{first.key}: was begun at {first.started_at}, {last.key} committed at {ready}",
        )


def _of_step(effects: tuple[Effect, ...], step: str) -> tuple[Effect, ...]:
    return tuple(e for e in effects if e.step == step and e.kind == DONE)
