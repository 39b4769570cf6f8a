"""I3: the engine's history and the ledger tell the same story, result by result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos import model
from holdfast_chaos.facts import CLAIMED, DONE
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.model.expectation import same
from holdfast_contracts.core import EffectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast_chaos.histories import Answer, RunHistory
    from holdfast_chaos.model.expectation import Expectation
    from holdfast_chaos.world import DeclaredRun, World

ID = "I3"
TITLE = "History and ledger tell the same story, result by result"


def check(world: World) -> InvariantResult:
    """Compare every answered step of every history with the ledger's row, and the other way."""
    promised = world.promised()
    tally = Tally(due=len(promised))
    for run in promised:
        family = world.family(run.instance)
        if not family:
            continue
        expectation = model.expect(run, world)
        answers = _last_answers(family)
        for answer in answers.values():
            _check_answer(answer, expectation, world, tally)
        _check_ghosts(run, answers, expectation, world, tally)
        _check_output(run, expectation, world, tally)
    return tally.result(ID, TITLE)


def _last_answers(family: tuple[RunHistory, ...]) -> Mapping[str, Answer]:
    """Return by key the answer that counted: a completion, or else the last that came."""
    last: dict[str, Answer] = {}
    for history in family:
        for answer in history.answers:
            before = last.get(answer.key)
            if before is None or before.end != "completed":
                last[answer.key] = answer
    return last


def _check_answer(answer: Answer, expectation: Expectation, world: World, tally: Tally) -> None:
    effect = world.ledger.effect.get(answer.key)
    if answer.end == "completed":
        if effect is None:
            # A row that the model misses too is one finding, and I2 has it.
            tally.check(
                answer.key in expectation.effects,
                f"{answer.key}: the history has a result, the ledger nothing",
            )
            return
        tally.check(
            effect.kind == DONE and same(answer.result, effect.result),
            f"{answer.key}: history says {answer.result!r}, ledger {effect.result!r}",
        )
    elif answer.end == "failed":
        tally.check(
            effect is None or effect.kind == CLAIMED,
            f"{answer.key}: failed ({answer.error_type}) says the history, done says the ledger",
        )


def _check_ghosts(
    run: DeclaredRun,
    answers: Mapping[str, Answer],
    expectation: Expectation,
    world: World,
    tally: Tally,
) -> None:
    """Check that a history scheduled every effect; one that none did is a ghost.

    After continue-as-new the engine keeps only the current generation, so the epochs before it
    have nothing to be compared with. An effect that the model does not have is I2's finding.
    """
    current = max((EffectKey.parse(key).epoch for key in answers), default=0)
    for effect in world.ledger.effects_of.get(run.instance, ()):
        known = effect.key in expectation.effects
        if known and effect.kind == DONE and effect.epoch >= current:
            tally.check(effect.key in answers, f"{effect.key}: an effect that no history scheduled")


def _check_output(run: DeclaredRun, expectation: Expectation, world: World, tally: Tally) -> None:
    history = world.histories.get(run.instance)
    if history is None or history.status != "COMPLETED":
        return
    wrong = expectation.output(history.output)
    tally.check(wrong is None, f"{run.instance}: returned something else: {wrong}")
