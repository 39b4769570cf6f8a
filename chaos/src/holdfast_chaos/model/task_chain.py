"""What a chain must leave: three effects in arithmetic, or one and the note of its failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos.facts import key
from holdfast_chaos.model.expectation import Expectation, Expected, fields, same
from holdfast_contracts.task_chain import ERROR_HANDLER, STEP1, STEP2, STEP3

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World

#: Each step, and those that must have taken effect before it begins.
CAUSES = {
    STEP2.name: (STEP1.name,),
    STEP3.name: (STEP2.name,),
    ERROR_HANDLER.name: (STEP1.name,),
}


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return the effects of a chain; nothing in it is left to chance."""
    del world
    value = int(run.input)
    added = value + 1
    if value < 0:
        return Expectation(
            {
                key(run.instance, STEP1.name): Expected(fields(value=added)),
                key(run.instance, ERROR_HANDLER.name): Expected(),
            },
            status="FAILED",
        )
    doubled = added * 2
    results = [added, doubled, doubled**2]
    steps = (STEP1.name, STEP2.name, STEP3.name)
    return Expectation(
        {
            key(run.instance, step): Expected(fields(value=result))
            for step, result in zip(steps, results, strict=True)
        },
        status="COMPLETED",
        output=lambda found: None if same(found, results) else f"{found!r}, not {results!r}",
    )
