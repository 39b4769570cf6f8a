"""Monitor: look at a job on a durable timer until it is done, then notify once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from holdfast_contracts.core import Activity, Command, Model, RetryPolicy, Seconds, Workflow

#: After this many polls the monitor continues as new, so that its history stays small.
POLLS_PER_EPOCH = 50

#: A Kubernetes Job (names: RFC 1123 labels) or an HTTP endpoint.
JOB_ID_PATTERN = (
    r"^(kubernetes:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
    r"|https?://[^\s/?#@]+(/[^\s]*)?)$"
)
JobId = Annotated[str, Field(pattern=JOB_ID_PATTERN, max_length=2000)]


class JobStatusMonitorInput(Model):
    """A job id, or an object with the job id and how often to look."""

    job_id: JobId
    poll_interval_seconds: Annotated[Seconds, Field(ge=0.1, le=86400)] = 300.0
    retry: RetryPolicy = RetryPolicy()

    @model_validator(mode="before")
    @classmethod
    def _from_job_id(cls, value: Any) -> Any:
        return {"job_id": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": JOB_ID_PATTERN}, handler(schema)]}


class JobStatusMonitorTurn(JobStatusMonitorInput):
    """What the monitor hands itself when it continues as new."""

    epoch: Annotated[int, Field(ge=0)] = 0
    #: Ids of the events that were taken, so that a late duplicate is known as one.
    taken_events: tuple[str, ...] = ()


class JobStatus(StrEnum):
    """What a job source says of a job. One that is gone has failed."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class CheckJobStatus(Command):
    """Ask the job's source for its status."""

    job_id: str


class JobReport(Model):
    """The status of the job when it was looked at, with the source's own words."""

    status: JobStatus
    detail: str = ""


class NotifyComplete(Command):
    """Put the notification of a completed job into the outbox."""

    job_id: str
    polls: int


class NotifyFailure(Command):
    """Put the notification of a failed job into the outbox."""

    job_id: str
    polls: int
    detail: str


class Notified(Model):
    """The notification is in the outbox; its CloudEvents id is the effect key."""

    notification_id: str


class JobStatusMonitorOutput(Model):
    """How the job ended, and how many times it was looked at."""

    job_id: str
    status: JobStatus
    polls: int
    detail: str = ""


CHECK_JOB_STATUS = Activity("check_job_status", CheckJobStatus, JobReport)
NOTIFY_COMPLETE = Activity("notify_complete", NotifyComplete, Notified)
NOTIFY_FAILURE = Activity("notify_failure", NotifyFailure, Notified)

JOB_STATUS_MONITOR = Workflow(
    "job_status_monitor",
    JobStatusMonitorInput,
    JobStatusMonitorOutput,
    "Look at a job on a durable timer until it is done, then notify.",
    activities=(CHECK_JOB_STATUS, NOTIFY_COMPLETE, NOTIFY_FAILURE),
    turn=JobStatusMonitorTurn,
)
