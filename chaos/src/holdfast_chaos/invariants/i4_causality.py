"""I4: nothing happens before its cause: a chain in order, a fan-in after all it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos import model
from holdfast_chaos.facts import DONE
from holdfast_chaos.invariants.result import InvariantResult, Tally

if TYPE_CHECKING:
    from holdfast_chaos.facts import Attempt, Effect, LedgerFacts
    from holdfast_chaos.world import World

ID = "I4"
TITLE = "Causes before effects: chains in order, a fan-in after all its parts"


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
        for step, causes in model.causes(run).items():
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
