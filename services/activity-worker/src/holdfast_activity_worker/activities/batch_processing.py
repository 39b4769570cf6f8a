"""Find the legs of a batch, measure each, store the sum."""

from __future__ import annotations

from sqlalchemy import text

from holdfast_activity_worker.geodesy import distance_km
from holdfast_activity_worker.work import Work, effect
from holdfast_contracts.batch_processing import (
    GET_WORK_BATCH,
    PROCESS_RESULTS,
    PROCESS_WORK_ITEM,
    BatchTotal,
    GetWorkBatch,
    ItemDistance,
    ProcessResults,
    ProcessWorkItem,
    WorkBatch,
)
from holdfast_contracts.core import EffectKey
from holdfast_contracts.errors import NotFoundError, PermanentError


@effect(GET_WORK_BATCH)
def get_work_batch(work: Work, command: GetWorkBatch) -> WorkBatch:
    """Find the batch that was loaded, or make one of the first legs of the sample."""
    if command.batch_id is not None:
        return _loaded_batch(work, command.batch_id)
    if command.items is None:
        raise PermanentError("neither a number of sample legs nor a batch_id was given")
    return _sample_batch(work, EffectKey.parse(command.key).instance, command.items)


@effect(PROCESS_WORK_ITEM)
def process_work_item(work: Work, command: ProcessWorkItem) -> ItemDistance:
    """Measure one leg and write its length to the leg's row."""
    leg = {"batch_id": command.batch_id, "idx": command.index}
    row = work.connection.execute(
        text(
            "SELECT origin, destination FROM work.batch_legs "
            "WHERE batch_id = :batch_id AND idx = :idx"
        ),
        leg,
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"batch {command.batch_id} has no leg {command.index}")
    length = distance_km(row.origin, row.destination)
    work.connection.execute(
        text(
            "UPDATE work.batch_legs SET distance_km = :length "
            "WHERE batch_id = :batch_id AND idx = :idx"
        ),
        {**leg, "length": length},
    )
    return ItemDistance(distance_km=length)


@effect(PROCESS_RESULTS)
def process_results(work: Work, command: ProcessResults) -> BatchTotal:
    """Store what the run found for the batch."""
    work.connection.execute(
        text(
            "INSERT INTO work.batch_results (batch_id, instance, count, total_km) "
            "VALUES (:batch_id, :instance, :count, :total_km)"
        ),
        {
            "batch_id": command.batch_id,
            "instance": EffectKey.parse(command.key).instance,
            "count": command.count,
            "total_km": command.total_km,
        },
    )
    return BatchTotal(count=command.count, total_km=command.total_km)


def _loaded_batch(work: Work, batch_id: str) -> WorkBatch:
    legs = work.connection.scalar(
        text("SELECT legs FROM work.batches WHERE batch_id = :batch_id"), {"batch_id": batch_id}
    )
    if legs is None:
        raise NotFoundError(f"no batch {batch_id} was loaded")
    return WorkBatch(batch_id=batch_id, count=legs)


def _sample_batch(work: Work, batch_id: str, items: int) -> WorkBatch:
    batch = {"batch_id": batch_id, "items": items}
    made = work.connection.execute(
        text(
            "INSERT INTO work.batches (batch_id, legs) VALUES (:batch_id, :items) "
            "ON CONFLICT DO NOTHING RETURNING batch_id"
        ),
        batch,
    ).one_or_none()
    if made is None:
        raise PermanentError(f"a batch {batch_id} was loaded before the run of that name")
    legs = work.connection.execute(
        text(
            "INSERT INTO work.batch_legs (batch_id, idx, origin, destination) "
            "SELECT :batch_id, idx, origin, destination FROM work.sample_legs WHERE idx < :items"
        ),
        batch,
    ).rowcount
    if legs != items:
        raise PermanentError(f"the sample has {legs} legs, not {items}")
    return WorkBatch(batch_id=batch_id, count=items)
