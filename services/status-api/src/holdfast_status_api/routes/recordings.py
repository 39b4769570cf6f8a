"""``/runs/{id}/recording``: a run's history as the engine keeps it, for the replay check."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from sqlalchemy import Engine

from holdfast_servicekit.problems import Problem
from holdfast_status_api.answers import RecordingAnswer
from holdfast_status_api.document import answers
from holdfast_status_api.index import RunIndex
from holdfast_status_api.looking import known_run
from holdfast_status_api.orchestrator import MissingError, Orchestrator, UnavailableError
from holdfast_status_api.parameters import RecordingQuery, RunPath
from holdfast_status_api.routes.runs import engine_away
from holdfast_status_api.settings import Settings


def api(settings: Settings, engine: Engine, orchestrator: Orchestrator) -> APIBlueprint:
    """Return the route."""
    routes = APIBlueprint("recordings", __name__)
    index = RunIndex(engine)

    @routes.get(
        "/runs/<instance_id>/recording",
        summary="Give a run's history for a replay of it",
        responses=answers({HTTPStatus.OK: RecordingAnswer}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
    )
    def recording(path: RunPath, query: RecordingQuery) -> Response:
        """Give the history as the engine keeps it: with every input and result of every step."""
        run = known_run(index, path.instance_id)
        wanted = query.child or run.instance_id
        if wanted != run.instance_id and not wanted.startswith(f"{run.instance_id}:"):
            raise _no_child(wanted)
        try:
            found = orchestrator.recording(quote(wanted, safe=":"))
        except MissingError as error:
            if wanted == run.instance_id:
                found = {"worker_app_id": settings.worker_app_id, "events": []}
            else:
                raise _no_child(wanted) from error
        except UnavailableError as error:
            raise engine_away() from error
        return RecordingAnswer.model_validate({**found, "instance_id": wanted}).response()

    return routes


def _no_child(instance_id: str) -> Problem:
    """Return the 404 for what is no child of the run."""
    return Problem(HTTPStatus.NOT_FOUND, "No such child", f"The run has no child {instance_id!r}.")
