"""``GET /status/{id}``: the last that is known of a run."""

from __future__ import annotations

import re
from http import HTTPStatus

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint

from holdfast_contracts.core import INSTANCE_ID_PATTERN
from holdfast_servicekit.problems import Problem
from holdfast_status_api.answers import RunAnswer, run_links
from holdfast_status_api.document import answers
from holdfast_status_api.index import Run, RunIndex
from holdfast_status_api.orchestrator import Orchestrator, UnavailableError
from holdfast_status_api.parameters import RunPath

_NEXT_LOOK_SECONDS = "1"
_POSSIBLE = re.compile(INSTANCE_ID_PATTERN)


def api(index: RunIndex, orchestrator: Orchestrator) -> APIBlueprint:
    """Return the route."""
    routes = APIBlueprint("status", __name__)

    @routes.get(
        "/status/<instance_id>",
        summary="Look at a run",
        responses=answers({HTTPStatus.OK: RunAnswer}, HTTPStatus.NOT_FOUND),
    )
    def status(path: RunPath) -> Response:
        """Answer 200 for every run that was accepted, whatever became of it. An end is final."""
        run, stale = _look(index, orchestrator, path.instance_id)
        answer = RunAnswer(
            instance_id=run.instance_id,
            workflow=run.workflow,
            state=run.state,
            input=run.input,
            output=run.output,
            custom_status=run.custom_status,
            failure=run.failure,
            accepted_at=run.accepted_at,
            started_at=run.started_at,
            updated_at=run.updated_at,
            finished_at=run.finished_at,
            stale=stale,
            links=run_links(run.instance_id),
        )
        headers = {} if run.state.terminal else {"Retry-After": _NEXT_LOOK_SECONDS}
        response = answer.response(headers={**headers, "Cache-Control": "no-cache"})
        response.add_etag()
        response.make_conditional(request)
        return response

    return routes


def known_run(index: RunIndex, instance_id: str) -> Run:
    """Return the run as the index has it, or raise a 404."""
    run = index.find(instance_id) if _POSSIBLE.fullmatch(instance_id) else None
    if run is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "No such run", "No run of this instance ID was ever accepted."
        )
    return run


def _look(index: RunIndex, orchestrator: Orchestrator, instance_id: str) -> tuple[Run, bool]:
    """Return the run, and whether the engine could not be asked about it."""
    run = known_run(index, instance_id)
    if run.state.terminal or run.fresh or not run.dispatched:
        return run, False
    try:
        report = orchestrator.run(instance_id)
    except UnavailableError:
        return run, True
    # What others wrote in the meantime counts, too: the answer is what the index has now.
    return (report and index.absorb(report)) or run, False
