"""What comes in paths, queries and headers, as models."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast_contracts.batch_processing import BatchId
from holdfast_contracts.core import INSTANCE_ID_PATTERN, InstanceId
from holdfast_servicekit.problems import Problem

#: Visible ASCII: what every client and proxy passes on unchanged.
_KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"


_SCHEMAS: dict[tuple[Any, ...], dict[str, Any]] = {}


class _Parameters(BaseModel):
    """Describes itself once: flask-openapi3 asks for the schema with every request."""

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the JSON Schema; see pydantic."""
        key = (cls, args, *options.items())
        if key not in _SCHEMAS:
            _SCHEMAS[key] = super().model_json_schema(*args, **options)
        return _SCHEMAS[key]


class _Strict(_Parameters):
    """Rejects what is not declared, so that a mistyped name is an error and not ignored."""

    model_config = ConfigDict(extra="forbid")


class WorkflowPath(BaseModel):
    """Which workflow."""

    name: str


class RunPath(BaseModel):
    """Which run. A path with anything that cannot be an ID is a run never seen."""

    instance_id: str = Field(description=f"Matches {INSTANCE_ID_PATTERN}")


class EventPath(RunPath):
    """Which event of which run."""

    event: str


class StartQuery(_Strict):
    """How to start a run."""

    instance_id: InstanceId | None = Field(
        default=None, description="The ID that the run shall have; made up if it is not given."
    )


class BatchQuery(_Strict):
    """How to store a batch."""

    batch_id: BatchId | None = Field(
        default=None, description="The ID that the batch shall have; made up if it is not given."
    )


class AuditQuery(_Strict):
    """Which page of the audit log."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None


class IdempotencyHeader(_Parameters):
    """Makes a repeated request get the answer of the first."""

    idempotency_key: Annotated[str, Field(pattern=_KEY_PATTERN)] | None = Field(
        default=None, alias="Idempotency-Key"
    )


def refuse(error: ValidationError) -> Response:
    """Answer 422 for a path, query or header that is not as its model says."""
    place = {
        "StartQuery": "parameter",
        "BatchQuery": "parameter",
        "AuditQuery": "parameter",
        "IdempotencyHeader": "header",
    }.get(error.title, "path")
    errors = [
        {place: str(item["loc"][0]) if item["loc"] else "", "detail": item["msg"]}
        for item in error.errors(include_url=False)
    ]
    return Problem(422, "Invalid request", f"A {place} is not right.", errors=errors).response()
