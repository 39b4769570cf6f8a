"""What comes in paths, queries and headers, as models."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Response
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from holdfast_contracts.batch_processing import BatchId
from holdfast_contracts.core import INSTANCE_ID_PATTERN, InstanceId
from holdfast_servicekit.problems import Problem
from holdfast_status_api.listing import Filters
from holdfast_status_api.states import State

#: Visible ASCII: what every client and proxy passes on unchanged.
_KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d.*", re.ASCII)


def _date_time(value: Any) -> Any:
    """Refuse numbers, which pydantic would count from 1970: in seconds, or in milliseconds."""
    if isinstance(value, str) and not _DATE_TIME.fullmatch(value):
        raise ValueError("a time as RFC 3339 has it is expected")
    return value


def _written(value: Any) -> Any:
    """Refuse what is no text: a document has numbers, too."""
    if not isinstance(value, str):
        raise ValueError("a time as RFC 3339 has it is expected")  # noqa: TRY004 - pydantic's way
    return _date_time(value)


Moment = Annotated[AwareDatetime, BeforeValidator(_date_time)]
#: One in a document.
WrittenMoment = Annotated[AwareDatetime, BeforeValidator(_written)]
_SCHEMAS: dict[tuple[Any, ...], dict[str, Any]] = {}
#: What the members of each model are in a request; those of any other are parts of the path.
PLACES = {
    "StartQuery": "parameter",
    "BatchQuery": "parameter",
    "ListQuery": "parameter",
    "FilterQuery": "parameter",
    "RecordingQuery": "parameter",
    "AuditQuery": "parameter",
    "WaitHeader": "header",
    "IdempotencyHeader": "header",
}


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


class RecordingQuery(_Strict):
    """Whose history of those that belong to the run."""

    child: Annotated[str, Field(max_length=300)] | None = Field(
        default=None, description="The instance ID of a child; the run itself if it is not given."
    )


class EventPath(RunPath):
    """Which event of which run."""

    event: str


class FilterQuery(_Strict):
    """Which runs; what is not given does not matter."""

    workflow: Annotated[str, Field(max_length=200)] | None = None
    state: Annotated[list[State], Field(max_length=len(State))] = Field(
        default_factory=list, description="One of these; may be repeated."
    )
    since: Moment | None = Field(default=None, description="Accepted then, or later.")
    until: Moment | None = Field(default=None, description="Accepted before.")
    q: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="A part of the instance ID."
    )

    def filters(self) -> Filters:
        """Return what is meant; raises a 422 for a time that no calendar has."""
        return Filters(
            None if self.workflow is None else printable(self.workflow, "workflow"),
            tuple(self.state),
            storable(self.since, "since"),
            storable(self.until, "until"),
            None if self.q is None else printable(self.q),
        )


class StartQuery(_Strict):
    """How to start a run."""

    start_at: Moment | None = Field(
        default=None, description="Not before then; as RFC 3339 has it."
    )
    deadline: Moment | None = Field(
        default=None,
        description="If it has not ended by then, the run is cancelled where its workflow can"
        " undo what was done, else terminated.",
    )

    instance_id: InstanceId | None = Field(
        default=None, description="The ID that the run shall have; made up if it is not given."
    )


class ListQuery(FilterQuery):
    """Which page of the list, and of which runs."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=400)] | None = None


class ActionPath(BaseModel):
    """What to do to many runs."""

    action: Literal["suspend", "resume", "cancel", "terminate", "repair", "rerun", "purge"]


class WaitHeader(_Parameters):
    """How long the answer may be held until it changes (RFC 7240, section 4.3)."""

    prefer: Annotated[str, Field(max_length=500)] | None = Field(
        default=None, alias="Prefer", description="wait=N, in seconds, 30 at most"
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


def storable(moment: datetime | None, name: str) -> datetime | None:
    """Return the time in UTC, or raise a 422: near the year 1 or 9999 it has none."""
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Invalid request",
            "A parameter is not right.",
            errors=[{"parameter": name, "detail": "is out of range"}],
        ) from error


def printable(text: str, parameter: str = "q") -> str:
    """Return what is looked for, or raise a 422: no ID or name has a NUL or half a character."""
    if "\0" in text or not text.isascii():
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Invalid request",
            "A parameter is not right.",
            errors=[{"parameter": parameter, "detail": "it has ASCII characters only"}],
        )
    return text


def refuse(error: ValidationError) -> Response:
    """Answer 422 for a path, query or header that is not as its model says."""
    place = PLACES.get(error.title, "path")
    errors = [
        {place: str(item["loc"][0]) if item["loc"] else "", "detail": item["msg"]}
        for item in error.errors(include_url=False)
    ]
    return Problem(422, "Invalid request", f"A {place} is not right.", errors=errors).response()
