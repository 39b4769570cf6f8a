"""``POST /workflows/{name}``: accept a run."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from sqlalchemy import Engine

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_servicekit.problems import Problem
from holdfast_status_api import bodies, documents, parameters
from holdfast_status_api.acceptance import Terms, accept_run
from holdfast_status_api.answers import AcceptedAnswer, run_links
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.background import Background
from holdfast_status_api.document import answers
from holdfast_status_api.pace import Pace
from holdfast_status_api.parameters import IdempotencyHeader, StartQuery, WorkflowPath
from holdfast_status_api.settings import Settings


def api(settings: Settings, engine: Engine, background: Background, pace: Pace) -> APIBlueprint:
    """Return the route."""
    routes = APIBlueprint("workflows", __name__)

    @routes.post(
        "/workflows/<name>",
        summary="Accept a run of a workflow",
        responses=answers(
            {HTTPStatus.ACCEPTED: AcceptedAnswer},
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    )
    def start(path: WorkflowPath, query: StartQuery, header: IdempotencyHeader) -> Response:
        """Take the input from the body; the run is started as soon as an engine is there."""
        flow = PUBLIC_WORKFLOWS.get(path.name)
        if flow is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "No such workflow",
                f"The workflows are: {', '.join(PUBLIC_WORKFLOWS)}.",
            )
        document = bodies.read_json(settings.largest_document_bytes)
        documents.validate(flow.input, document)
        terms = Terms(
            start_at=parameters.storable(query.start_at, "start_at"),
            deadline=parameters.storable(query.deadline, "deadline"),
        )
        _check(terms)
        run = accept_run(
            engine,
            flow,
            document,
            instance_id=query.instance_id,
            idempotency_key=header.idempotency_key,
            requested_by=caller().subject,
            terms=terms,
        )
        background.run_accepted()
        return AcceptedAnswer(
            instance_id=run.instance_id,
            workflow=run.workflow,
            accepted_at=run.accepted_at,
            links=run_links(run.instance_id),
        ).response(
            HTTPStatus.ACCEPTED,
            {
                "Location": f"/status/{run.instance_id}",
                "Retry-After": str(pace.first_look(run.workflow, terms.start_at)),
            },
        )

    return routes


def _check(terms: Terms) -> None:
    """Raise a 422 for a deadline that no run could meet."""
    fault = terms.fault_of_deadline()
    if fault is not None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Invalid request",
            "A parameter is not right.",
            errors=[{"parameter": "deadline", "detail": fault}],
        )
