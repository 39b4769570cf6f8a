"""Fan-out / fan-in: one activity for every item of a batch, then one for the sum.

For work that is independent and too much for one process. It survives the death of any worker in
the middle of any number of items: only the items that were in its hands run again, and each is
counted once. Parallelism is bounded by the worker pool; beyond 64 items the batch is split into
child workflows, so that no history grows without bound.
"""

from __future__ import annotations

from math import fsum

from holdfast_contracts.batch_processing import (
    BATCH_CHUNK,
    CHILD_WIDTH,
    GET_WORK_BATCH,
    PROCESS_RESULTS,
    PROCESS_WORK_ITEM,
    BatchChunkInput,
    BatchChunkOutput,
    BatchProcessingInput,
    BatchProcessingOutput,
    FailedItem,
    GetWorkBatch,
    ProcessResults,
    ProcessWorkItem,
)
from holdfast_orchestrator.durable import Run, Steps, call, call_all, call_children
from holdfast_orchestrator.engine import TaskFailedError

#: How many failed items the failure's text names one by one.
_NAMED_FAILURES = 50


class ItemsFailedError(Exception):
    """Items still failed after their retries; all their siblings were waited for."""

    def __init__(self, failed: list[FailedItem]) -> None:
        named = "; ".join(f"{item.index}: {item.error}" for item in failed[:_NAMED_FAILURES])
        more = len(failed) - _NAMED_FAILURES
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__(f"{len(failed)} item(s) failed: {named}{rest}")


def batch_processing(run: Run, request: BatchProcessingInput) -> Steps[BatchProcessingOutput]:
    """Return count and total of the batch, stored once; or fail, name the items, store nothing."""
    batch = yield from call(
        run,
        GET_WORK_BATCH,
        GetWorkBatch(
            key=run.key(GET_WORK_BATCH),
            instance=run.id,
            items=request.items,
            batch_id=request.batch_id,
        ),
    )
    if batch.count <= CHILD_WIDTH:
        parts = [(yield from _measure(run, batch.batch_id, range(batch.count)))]
    else:
        parts = yield from call_children(
            run,
            BATCH_CHUNK,
            [
                BatchChunkInput(
                    root=run.root,
                    epoch=run.epoch,
                    batch_id=batch.batch_id,
                    start=start,
                    stop=min(start + CHILD_WIDTH, batch.count),
                    retry=request.retry,
                )
                for start in range(0, batch.count, CHILD_WIDTH)
            ],
        )
    failed = [item for part in parts for item in part.failed]
    if failed:
        raise ItemsFailedError(failed)
    total = yield from call(
        run,
        PROCESS_RESULTS,
        ProcessResults(
            key=run.key(PROCESS_RESULTS),
            instance=run.id,
            closes_run=True,
            batch_id=batch.batch_id,
            count=sum(part.count for part in parts),
            total_km=fsum(part.total_km for part in parts),
        ),
    )
    return BatchProcessingOutput(
        batch_id=batch.batch_id, count=total.count, total_km=total.total_km
    )


def batch_chunk(run: Run, chunk: BatchChunkInput) -> Steps[BatchChunkOutput]:
    """Return the sum of a slice and the items of it that failed."""
    return (yield from _measure(run, chunk.batch_id, range(chunk.start, chunk.stop)))


def _measure(run: Run, batch_id: str, items: range) -> Steps[BatchChunkOutput]:
    outcomes = yield from call_all(
        run,
        PROCESS_WORK_ITEM,
        [
            ProcessWorkItem(
                key=run.key(PROCESS_WORK_ITEM, index),
                instance=run.id,
                batch_id=batch_id,
                index=index,
            )
            for index in items
        ],
    )
    failed = tuple(
        FailedItem(index=index, error=outcome.details.message)
        for index, outcome in zip(items, outcomes, strict=True)
        if isinstance(outcome, TaskFailedError)
    )
    distances = [
        outcome.distance_km for outcome in outcomes if not isinstance(outcome, TaskFailedError)
    ]
    return BatchChunkOutput(count=len(distances), total_km=fsum(distances), failed=failed)
