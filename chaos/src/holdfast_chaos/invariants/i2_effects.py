"""I2: the effects are those that the model predicts: no fewer, no more, none different."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast_chaos import model
from holdfast_chaos.invariants.result import InvariantResult, Tally

if TYPE_CHECKING:
    from holdfast_chaos.facts import Effect
    from holdfast_chaos.model.expectation import Expected
    from holdfast_chaos.world import World

ID = "I2"
TITLE = "The effects are exactly those that a model of the workload predicts"


@dataclass(frozen=True)
class Difference:
    """Where ledger and model differ, by effect key."""

    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def check(world: World) -> InvariantResult:
    """Compare every effect of every promised run, and the rows that it left, with the model."""
    promised = world.promised()
    tally = Tally(due=len(promised))
    for run in promised:
        expectation = model.expect(run, world)
        found = {effect.key: effect for effect in world.ledger.effects_of.get(run.instance, ())}
        for key, expected in expectation.effects.items():
            _check_effect(key, expected, found.get(key), tally)
        for key in sorted(found.keys() - expectation.effects.keys()):
            text = f"{key}: an effect that the model does not have"
            tally.check(holds=False, otherwise=text)
        for wrong in expectation.books:
            tally.check(holds=False, otherwise=wrong)
        tally.facts += expectation.books_checked - len(expectation.books)
        history = world.histories.get(run.instance)
        if history is not None and history.terminal:
            tally.check(
                history.status == expectation.status,
                f"{run.instance}: ended {history.status}, the model says {expectation.status}"
                + (f" ({history.failure})" if history.failure else ""),
            )
    _check_strangers(world, tally)
    for divergence in world.ledger.divergences:
        text = f"{divergence.key}: came with two payloads"
        tally.check(holds=False, otherwise=text)
    return tally.result(ID, TITLE)


def difference(world: World) -> Difference:
    """Return the effects that are missing, and those that are there beyond the model."""
    missing: list[str] = []
    surplus: list[str] = []
    for run in world.promised():
        expected = model.expect(run, world).effects.keys()
        found = {effect.key for effect in world.ledger.effects_of.get(run.instance, ())}
        missing += sorted(expected - found)
        surplus += sorted(found - expected)
    return Difference(tuple(missing), tuple(surplus))


def _check_effect(key: str, expected: Expected, found: Effect | None, tally: Tally) -> None:
    if not tally.check(found is not None, f"{key}: missing") or found is None:
        return
    if tally.check(found.kind == expected.kind, f"{key}: is {found.kind}, not {expected.kind}"):
        wrong = expected.test(found.result)
        tally.check(wrong is None, f"{key}: {wrong}")


def _check_strangers(world: World, tally: Tally) -> None:
    """Check that no run has effects that nobody declared."""
    declared = {run.instance for run in world.runs}
    for instance, effects in sorted(world.ledger.effects_of.items()):
        tally.check(
            instance in declared, f"{instance}: {len(effects)} effects of a run nobody declared"
        )
