"""``/runs/{id}/events``: accept events for a run, and tell what became of them."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from sqlalchemy import Engine

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import CANCEL, RESUME, SUSPEND, Event
from holdfast_servicekit.problems import Problem
from holdfast_status_api import approvals, bodies
from holdfast_status_api.answers import EventAnswer, EventsAnswer, ReceiptAnswer
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.background import Background
from holdfast_status_api.document import answers
from holdfast_status_api.index import RunIndex
from holdfast_status_api.looking import known_run
from holdfast_status_api.parameters import EventPath, IdempotencyHeader, RunPath
from holdfast_status_api.receipts import accept_event, receipts_of
from holdfast_status_api.settings import Settings

#: Every workflow takes these two, at the gate between its steps.
_OF_EVERY_RUN = (SUSPEND, RESUME)


def api(settings: Settings, engine: Engine, background: Background) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("events", __name__)
    index = RunIndex(engine)

    @routes.post(
        "/runs/<instance_id>/events/<event>",
        summary="Accept an event for a run",
        responses=answers(
            {HTTPStatus.ACCEPTED: ReceiptAnswer},
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.GONE,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    )
    def accept(path: EventPath, header: IdempotencyHeader) -> Response:
        """Take the event's data from the body; it is delivered as soon as a worker is there."""
        run = known_run(index, path.instance_id)
        event = _declared(run.workflow, path.event)
        approvals.refuse_own(engine, event, run, caller())
        document = bodies.read_json(settings.largest_document_bytes)
        data = approvals.data_of(event, document, caller())
        receipt = accept_event(
            engine,
            run.instance_id,
            event,
            data.model_dump(mode="json"),
            idempotency_key=header.idempotency_key,
        )
        background.event_accepted()
        location = f"/runs/{run.instance_id}/events"
        return ReceiptAnswer(
            event_id=receipt.event_id,
            name=receipt.name,
            state=receipt.state,
            accepted_at=receipt.accepted_at,
            links={"events": location, "run": f"/status/{run.instance_id}"},
        ).response(HTTPStatus.ACCEPTED, {"Location": location})

    @routes.get(
        "/runs/<instance_id>/events",
        summary="List the accepted events of a run",
        responses=answers({HTTPStatus.OK: EventsAnswer}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
    )
    def receipts(path: RunPath) -> Response:
        """Tell of each: pending, delivered, consumed (by the ledger's word) or expired."""
        run = known_run(index, path.instance_id)
        return EventsAnswer(
            events=[
                EventAnswer(
                    event_id=receipt.event_id,
                    name=receipt.name,
                    state=receipt.state,
                    accepted_at=receipt.accepted_at,
                    delivered_at=receipt.delivered_at,
                    consumed_at=receipt.consumed_at,
                    reason=receipt.reason,
                )
                for receipt in receipts_of(engine, run.instance_id)
            ]
        ).response()

    return routes


def _declared(workflow: str, name: str) -> Event:
    flow = PUBLIC_WORKFLOWS.get(workflow)  # none: the run was started by other means
    known = (*(flow.events if flow else ()), *_OF_EVERY_RUN)
    event = next((event for event in known if event.name == name), None)
    if event is not None:
        return event
    if name == CANCEL.name:
        raise Problem(
            HTTPStatus.CONFLICT,
            "The run cannot be cancelled",
            f"{workflow} declares no cancellation: it has nothing that could be undone.",
        )
    raise Problem(
        HTTPStatus.NOT_FOUND,
        "No such event",
        f"A run of {workflow} takes: {', '.join(event.name for event in known)}.",
    )
