"""Fan-out / fan-in: the great-circle length of every leg of a batch, and their sum."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from holdfast_contracts.core import Activity, Command, Model, RetryPolicy, Workflow

#: Legs in the sample batch that ships with the activity-worker.
SAMPLE_LEGS = 5_358
#: Above this many items the batch is split into child workflows of at most this many.
CHILD_WIDTH = 64
#: A batch larger than this is refused when it is loaded.
LARGEST_BATCH = 100_000

BatchId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class BatchProcessingInput(Model):
    """A number of legs of the sample batch, or the id of a batch that was loaded."""

    items: Annotated[int, Field(strict=True, ge=1, le=SAMPLE_LEGS)] | None = None
    batch_id: BatchId | None = None
    retry: RetryPolicy = RetryPolicy()

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"items": value}
        return value

    @model_validator(mode="after")
    def _one_source(self) -> BatchProcessingInput:
        if (self.items is None) == (self.batch_id is None):
            message = "give either a number of sample legs or a batch_id, not both"
            raise ValueError(message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        number = {"type": "integer", "minimum": 1, "maximum": SAMPLE_LEGS}
        return {"anyOf": [number, handler(schema)]}


class BatchProcessingOutput(Model):
    """How many legs there were and how long they are together, in km."""

    batch_id: str
    count: int
    total_km: float


class GetWorkBatch(Command):
    """Find the batch, or make one of the first legs of the sample."""

    items: int | None = None
    batch_id: str | None = None


class WorkBatch(Model):
    """The batch that a run works on; rows stay in the database."""

    batch_id: str
    count: int


class ProcessWorkItem(Command):
    """Measure one leg and write its length to the leg's row."""

    batch_id: str
    index: int


class ItemDistance(Model):
    """The length of a leg: the WGS-84 geodesic, in km."""

    distance_km: float


class ProcessResults(Command):
    """Store count and total of a batch whose every leg was measured."""

    batch_id: str
    count: int
    total_km: float


class BatchTotal(Model):
    """What was stored for the batch."""

    count: int
    total_km: float


class BatchChunkInput(Model):
    """A slice of a batch for a child workflow; its items keep the root run's keys."""

    root: str
    epoch: int
    batch_id: str
    start: int
    stop: int
    retry: RetryPolicy


class FailedItem(Model):
    """An item that still failed after its retries."""

    index: int
    error: str


class BatchChunkOutput(Model):
    """The sum of the slice. Failures are returned: raising would hide all but the first."""

    count: int
    total_km: float
    failed: tuple[FailedItem, ...] = ()


GET_WORK_BATCH = Activity("get_work_batch", GetWorkBatch, WorkBatch)
PROCESS_WORK_ITEM = Activity("process_work_item", ProcessWorkItem, ItemDistance)
PROCESS_RESULTS = Activity("process_results", ProcessResults, BatchTotal)

BATCH_PROCESSING = Workflow(
    "batch_processing",
    BatchProcessingInput,
    BatchProcessingOutput,
    "Measure every leg of a batch in parallel and store the sum.",
    activities=(GET_WORK_BATCH, PROCESS_WORK_ITEM, PROCESS_RESULTS),
    rerun_from_event=True,
)
BATCH_CHUNK = Workflow(
    "batch_chunk",
    BatchChunkInput,
    BatchChunkOutput,
    "Measure a slice of a large batch for batch_processing.",
    activities=(PROCESS_WORK_ITEM,),
    internal=True,
)
