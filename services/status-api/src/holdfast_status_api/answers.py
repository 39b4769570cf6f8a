"""What the API answers, as models: they make the bodies, and the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast_status_api.auth.callers import Role
from holdfast_status_api.frozen import Reason
from holdfast_status_api.receipts import EventState
from holdfast_status_api.remembering import Loss
from holdfast_status_api.states import State
from holdfast_status_api.why import Kind

Origin = Literal["api", "engine"]


class Answer(BaseModel):
    """A body; every field is always there."""

    model_config = ConfigDict(frozen=True)

    def response(
        self, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
    ) -> Response:
        """Return the body as a JSON response."""
        return Response(self.model_dump_json(), status, headers, content_type="application/json")


class AcceptedAnswer(Answer):
    """The run is accepted: it is stored, and will be started."""

    instance_id: str
    workflow: str
    state: State = State.PENDING
    accepted_at: datetime
    links: dict[str, str]


class RunSummary(Answer):
    """A run as the list shows it."""

    instance_id: str
    workflow: str
    state: State
    origin: Origin
    accepted_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    start_at: datetime | None
    deadline: datetime | None
    rerun_of: str | None
    requested_by: str | None
    links: dict[str, str]


class RunAnswer(RunSummary):
    """The last that is known of a run."""

    input: Any
    output: Any
    custom_status: Any
    failure: dict[str, Any] | None
    reason: str | None = Field(
        description="What was said with the last suspension, resumption, cancellation or"
        " termination; of a run whose deadline has passed, that."
    )
    stale: bool = Field(
        default=False, description="The engine could not be asked; this is what it said last."
    )


class RunsAnswer(Answer):
    """A page of the list of runs, newest first."""

    runs: list[RunSummary]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class HistoryAnswer(Answer):
    """What the engine has of a run: the whole history of its current generation."""

    instance_id: str
    events: list[dict[str, Any]]


class RecordingAnswer(Answer):
    """What the engine has of a run, as it keeps it, for the replay check."""

    instance_id: str
    worker_app_id: str = Field(description="The app that the run's activities are sent to.")
    events: list[str] = Field(description="Protobuf messages of the engine, each in base64.")


class AttemptAnswer(Answer):
    """An attempt at a step. One without an outcome was interrupted, or is under way."""

    id: int
    key: str
    step: str
    index: int
    epoch: int
    runner: str
    pod: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    error_type: str | None
    error: str | None


class EffectAnswer(Answer):
    """An effect: it happened once."""

    seq: int
    key: str
    step: str
    index: int
    epoch: int
    runner: str
    kind: str
    pod: str
    committed_at: datetime


class TimelineAnswer(Answer):
    """Who tried what, and what came of it, by the ledger's word; the children's steps, too."""

    instance_id: str
    attempts: list[AttemptAnswer]
    effects: list[EffectAnswer]
    pods: list[str]


class CauseAnswer(Answer):
    """One thing that a run waits for."""

    kind: Kind
    name: str | None
    app_id: str | None
    worker_connected: bool | None
    until: datetime | None
    since: datetime | None
    detail: str | None


class WhyAnswer(Answer):
    """Why a run is not further than it is, and what would free it."""

    instance_id: str
    state: State
    sentence: str
    waits_for: list[CauseAnswer]
    commands: list[str]


class ActionAnswer(Answer):
    """The action is accepted: it is stored, and will be carried out."""

    instance_id: str
    action: str
    event_id: str | None = Field(
        default=None, description="Where the action is an event: its receipt is in the run's list."
    )
    fenced: bool | None = Field(
        default=None,
        description="Of a termination: the ledger is closed, so that no effect starts any more.",
    )
    links: dict[str, str]


class FrozenAnswer(Answer):
    """A run that nothing will move again, and what frees it."""

    instance_id: str
    workflow: str
    state: State
    reason: Reason
    sentence: str
    since: datetime
    frozen_instance: str = Field(description="The run itself, or the child that froze it.")
    command: str
    links: dict[str, str]


class MemoryAnswer(Answer):
    """The last time that the scheduler and the database were found not to fit each other."""

    loss: Loss | None
    forgot_at: datetime | None


class DoctorAnswer(Answer):
    """What was found, those first that are quiet for longest."""

    healthy: bool = Field(description="No run that was looked at is frozen.")
    frozen: list[FrozenAnswer]
    examined: int = Field(description="How many runs were looked at: those that might be frozen.")
    left: int = Field(description="How many more there are; repair these first, and ask again.")
    memory: MemoryAnswer
    strangers: list[str] = Field(
        description="Steps were done lately for runs of these IDs, which were never accepted:"
        " the scheduler has jobs of runs that are not there any more."
    )


class DryRunAnswer(Answer):
    """What a bulk action would do. With the token in the body it does it."""

    action: str
    count: int
    token: str
    expires_at: datetime


class RefusedAnswer(Answer):
    """A run that a bulk action did not meet."""

    instance_id: str
    reason: str


class BulkAnswer(Answer):
    """What a bulk action did."""

    action: str
    count: int
    accepted: int
    refused: list[RefusedAnswer]


class ReceiptAnswer(Answer):
    """The event is accepted: it is stored, and will be delivered."""

    event_id: str
    name: str
    state: EventState
    accepted_at: datetime
    links: dict[str, str]


class EventAnswer(Answer):
    """How far an accepted event came. Consumed is what the ledger says."""

    event_id: str
    name: str
    state: EventState
    accepted_at: datetime
    delivered_at: datetime | None
    consumed_at: datetime | None
    reason: str | None = Field(description="Of a suspension, resumption or cancellation.")


class EventsAnswer(Answer):
    """Every event that was accepted for a run, in the order of acceptance."""

    events: list[EventAnswer]


class BatchAnswer(Answer):
    """The batch is stored; its id is what batch_processing takes as batch_id."""

    batch_id: str
    legs: int


class EventType(Answer):
    """An event that runs of a workflow take."""

    name: str
    summary: str
    data_schema: dict[str, Any]


class WorkflowAnswer(Answer):
    """A workflow that can be started here."""

    name: str
    summary: str
    input_schema: dict[str, Any]
    events: list[EventType]
    cancellable: bool
    links: dict[str, str]


class CatalogueAnswer(Answer):
    """Every workflow that can be started here."""

    workflows: list[WorkflowAnswer]


class CallerAnswer(Answer):
    """Who calls."""

    subject: str
    role: str = Field(description="The roles in one text; more than one only from an issuer.")
    roles: list[Role]


class AuditEntry(Answer):
    """Who changed what, or tried to."""

    at: datetime
    subject: str
    role: str
    action: str
    target: str
    status: int
    address: str
    reason: str = Field(description="What the caller said why; empty if nothing.")


class AuditAnswer(Answer):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    next: str | None


class ProblemAnswer(BaseModel):
    """A problem, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, Any]] | None = Field(
        default=None,
        description="Each fault: with a JSON pointer (RFC 6901) into the document, a line of the"
        " file, a query parameter, a path segment or a header.",
    )


def run_links(instance_id: str) -> dict[str, str]:
    """Return where to look for a run and for all that belongs to it."""
    links = {"self": f"/status/{instance_id}"}
    for part in ("events", "history", "timeline", "why", "stream"):
        links[part] = f"/runs/{instance_id}/{part}"
    return links
