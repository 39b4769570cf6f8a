"""``GET /workflows``: what can be started, with what input."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import CANCEL, Workflow
from holdfast_status_api import approvals
from holdfast_status_api.answers import CatalogueAnswer, EventType, WorkflowAnswer
from holdfast_status_api.document import answers


def api() -> APIBlueprint:
    """Return the route."""
    routes = APIBlueprint("catalogue", __name__)
    catalogue = CatalogueAnswer(workflows=[_describe(flow) for flow in PUBLIC_WORKFLOWS.values()])

    @routes.get(
        "/workflows",
        summary="List the workflows",
        responses=answers({HTTPStatus.OK: CatalogueAnswer}),
    )
    def workflows() -> Response:
        """List each with the JSON Schema of its input, and the events that a run of it takes."""
        return catalogue.response()

    return routes


def _describe(flow: Workflow[Any, Any]) -> WorkflowAnswer:
    return WorkflowAnswer(
        name=flow.name,
        summary=flow.summary,
        input_schema=flow.input.model_json_schema(),
        events=[
            EventType(
                name=event.name,
                summary=event.summary,
                data_schema=approvals.body_of(event).model_json_schema(),
            )
            for event in flow.events
        ],
        cancellable=flow.event(CANCEL.name) is not None,
        links={"start": f"/workflows/{flow.name}"},
    )
