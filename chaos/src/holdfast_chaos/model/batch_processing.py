"""What a batch must leave: one effect and one length per leg, one total, each child closed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from holdfast_chaos.facts import key
from holdfast_chaos.model.expectation import Books, Expectation, Expected, fields
from holdfast_chaos.model.geodesy import distance_km
from holdfast_contracts.batch_processing import (
    CHILD_WIDTH,
    GET_WORK_BATCH,
    PROCESS_RESULTS,
    PROCESS_WORK_ITEM,
)
from holdfast_contracts.core import CLOSE_RUN

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World

#: Each step, and those that must have taken effect before it begins.
CAUSES = {
    PROCESS_WORK_ITEM.name: (GET_WORK_BATCH.name,),
    PROCESS_RESULTS.name: (PROCESS_WORK_ITEM.name,),
}


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return the effects of a batch, from the legs that the client loaded and geodesy."""
    batch, legs = _legs(run, world)
    lengths = [distance_km(origin, destination) for origin, destination in legs]
    total = math.fsum(lengths)
    effects = {
        key(run.instance, GET_WORK_BATCH.name): Expected(fields(count=len(legs))),
        key(run.instance, PROCESS_RESULTS.name): Expected(fields(count=len(legs), total_km=total)),
    }
    for index, length in enumerate(lengths):
        item = key(run.instance, PROCESS_WORK_ITEM.name, index)
        effects[item] = Expected(fields(distance_km=length))
    if len(legs) > CHILD_WIDTH:
        # Number 0 is the root's own, which closes with its total.
        for number in range(1, 1 + math.ceil(len(legs) / CHILD_WIDTH)):
            effects[key(run.instance, CLOSE_RUN.name, number)] = Expected()
    books = _books(run, batch, legs, lengths, total, world)
    return Expectation(
        effects,
        status="COMPLETED",
        output=fields(count=len(legs), total_km=total),
        books=tuple(books.wrong),
        books_checked=books.checked,
    )


def _legs(run: DeclaredRun, world: World) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    asked: Any = run.input
    if isinstance(asked, Mapping) and asked.get("batch_id") is not None:
        batch = str(asked["batch_id"])
        loaded = [b for b in world.observations.batches if b.batch_id == batch]
        return batch, loaded[0].legs if loaded else ()
    count = int(asked["items"] if isinstance(asked, Mapping) else asked)
    found = world.ledger.effect.get(key(run.instance, GET_WORK_BATCH.name))
    made = found.result.get("batch_id") if found and isinstance(found.result, Mapping) else None
    return made, world.sample[:count]


def _books(
    run: DeclaredRun,
    batch: str | None,
    legs: tuple[tuple[str, str], ...],
    lengths: list[float],
    total: float,
    world: World,
) -> Books:
    books = Books()
    rows = {row.index: row for row in world.ledger.legs if row.batch_id == batch}
    books.expect(f"legs of batch {batch}", sorted(rows), list(range(len(legs))))
    for index, (leg, length) in enumerate(zip(legs, lengths, strict=True)):
        row = rows.get(index)
        if row is not None:
            books.expect(f"leg {index} of {batch}", [row.origin, row.destination], list(leg))
            books.expect(f"length of leg {index} of {batch}", row.distance_km, length)
    stored = [
        [row.count, row.total_km]
        for row in world.ledger.batch_results
        if row.batch_id == batch and row.instance == run.instance
    ]
    books.expect(f"stored total of {run.instance}", stored, [[len(legs), total]])
    return books
