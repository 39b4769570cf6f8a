"""What an operator does: suspend, resume, cancel, end, repair, rerun, purge; one run or many."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar, cast

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel
from sqlalchemy import Engine

from holdfast_contracts.core import RESUME, SUSPEND, Event
from holdfast_servicekit.problems import Problem
from holdfast_status_api import bodies, bulk, documents, operations
from holdfast_status_api.acceptance import Terms, accept_run
from holdfast_status_api.answers import (
    AcceptedAnswer,
    ActionAnswer,
    BulkAnswer,
    DryRunAnswer,
    RefusedAnswer,
    run_links,
)
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.background import Background
from holdfast_status_api.doctor import Doctor
from holdfast_status_api.document import answers
from holdfast_status_api.index import Run
from holdfast_status_api.looking import Looks
from holdfast_status_api.orchestrator import MissingError, Orchestrator, UnavailableError
from holdfast_status_api.pace import Pace
from holdfast_status_api.parameters import ActionPath, FilterQuery, IdempotencyHeader, RunPath
from holdfast_status_api.routes.runs import engine_away
from holdfast_status_api.settings import Settings
from holdfast_status_api.wishes import Confirmation, Reason, Rerun

M = TypeVar("M", bound=BaseModel)

_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.GONE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


def api(
    settings: Settings,
    engine: Engine,
    orchestrator: Orchestrator,
    background: Background,
    looks: Looks,
    pace: Pace,
    doctor: Doctor,
) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("actions", __name__)
    _register_signals(routes, settings, engine, background, looks)
    _register_ends(routes, settings, engine, background, looks)
    _register_rerun(routes, settings, engine, orchestrator, background, looks, pace)
    _register_repair(routes, settings, engine, background, looks, doctor)
    _register_bulk(routes, settings, engine, background, doctor)
    return routes


def _register_signals(
    routes: APIBlueprint, settings: Settings, engine: Engine, background: Background, looks: Looks
) -> None:
    def accept(instance_id: str, event: Event) -> Response:
        run = looks.look(instance_id).run
        reason = _body(Reason, settings).reason
        receipt = operations.signal(engine, run.instance_id, event, reason)
        background.event_accepted()
        return _accepted(run, event.name, event_id=receipt.event_id)

    responses = answers({HTTPStatus.ACCEPTED: ActionAnswer}, *_REFUSALS)

    @routes.post("/runs/<instance_id>/suspend", summary="Suspend a run", responses=responses)
    def suspend(path: RunPath) -> Response:
        """Let the run take no further step; a step that is under way is finished."""
        return accept(path.instance_id, SUSPEND)

    @routes.post("/runs/<instance_id>/resume", summary="Resume a run", responses=responses)
    def resume(path: RunPath) -> Response:
        """Let a suspended run go on."""
        return accept(path.instance_id, RESUME)


def _register_ends(
    routes: APIBlueprint, settings: Settings, engine: Engine, background: Background, looks: Looks
) -> None:
    responses = answers({HTTPStatus.ACCEPTED: ActionAnswer}, *_REFUSALS)

    @routes.post("/runs/<instance_id>/cancel", summary="Cancel a run", responses=responses)
    def cancel(path: RunPath) -> Response:
        """Let the run undo what it did and end as cancelled, also if it is suspended."""
        run = looks.look(path.instance_id).run
        reason = _body(Reason, settings).reason
        receipt = operations.cancel(engine, run.instance_id, run.workflow, reason)
        background.event_accepted()
        return _accepted(run, "cancel", event_id=None if receipt is None else receipt.event_id)

    @routes.post("/runs/<instance_id>/terminate", summary="Terminate a run", responses=responses)
    def terminate(path: RunPath) -> Response:
        """End the run and its children where they stand; nothing is undone.

        The ledger is closed for all of them before the engine is told: what the engine still
        starts has no effect.
        """
        run = looks.look(path.instance_id).run
        reason = _body(Reason, settings).reason
        fenced = operations.terminate(engine, run.instance_id, reason)
        background.command_accepted()
        return _accepted(run, "terminate", fenced=fenced)

    @routes.delete(
        "/runs/<instance_id>",
        summary="Purge a run",
        responses={
            **answers({}, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE),
            int(HTTPStatus.NO_CONTENT): {"description": "Purged"},
        },
    )
    def purge(path: RunPath) -> Response:
        """Delete what is known of a run that has ended. Its ID is never given again."""
        run = looks.look(path.instance_id).run
        operations.purge(engine, run.instance_id)
        background.command_accepted()
        return Response(status=HTTPStatus.NO_CONTENT)


def _register_rerun(
    routes: APIBlueprint,
    settings: Settings,
    engine: Engine,
    orchestrator: Orchestrator,
    background: Background,
    looks: Looks,
    pace: Pace,
) -> None:
    @routes.post(
        "/runs/<instance_id>/rerun",
        summary="Run again",
        responses=answers({HTTPStatus.ACCEPTED: AcceptedAnswer}, *_REFUSALS),
    )
    def rerun(path: RunPath, header: IdempotencyHeader) -> Response:
        """Accept a new run with the input of one that has ended.

        With ``from_event`` it shares the history up to that step, does the step under a key of its
        own, and goes on from there; only where the workflow declares that this does no harm.
        """
        source = looks.look(path.instance_id).run
        wanted = _body(Rerun, settings)
        flow = operations.repeatable(source)
        if wanted.from_event is not None:
            if not flow.rerun_from_event:
                raise Problem(
                    HTTPStatus.CONFLICT,
                    "The workflow cannot run from an event",
                    f"{flow.name} does not declare that safe; run it again from the start.",
                )
            _check_step(orchestrator, source.instance_id, wanted.from_event)
        run = accept_run(
            engine,
            flow,
            source.input,
            instance_id=wanted.instance_id,
            idempotency_key=header.idempotency_key,
            requested_by=caller().subject,
            terms=Terms(rerun_of=source.instance_id, rerun_event=wanted.from_event),
        )
        background.run_accepted()
        return AcceptedAnswer(
            instance_id=run.instance_id,
            workflow=run.workflow,
            accepted_at=run.accepted_at,
            links={**run_links(run.instance_id), "rerun_of": f"/status/{source.instance_id}"},
        ).response(
            HTTPStatus.ACCEPTED,
            {
                "Location": f"/status/{run.instance_id}",
                "Retry-After": str(pace.first_look(run.workflow)),
            },
        )


def _register_repair(
    routes: APIBlueprint,
    settings: Settings,
    engine: Engine,
    background: Background,
    looks: Looks,
    doctor: Doctor,
) -> None:
    @routes.post(
        "/runs/<instance_id>/repair",
        summary="Free a frozen run",
        responses=answers({HTTPStatus.ACCEPTED: ActionAnswer}, *_REFUSALS),
    )
    def repair(path: RunPath) -> Response:
        """Make again what the run waits for and what was lost; nothing that it did happens twice.

        A 409 for a run that is not frozen.
        """
        run = looks.look(path.instance_id).run
        reason = _body(Reason, settings).reason
        if run.state.terminal:
            raise operations.has_ended(run.instance_id)
        operations.refuse_to_repair(run.instance_id, doctor.look(run))
        operations.repair(engine, run.instance_id, reason)
        background.command_accepted()
        return _accepted(run, "repair")


def _register_bulk(
    routes: APIBlueprint,
    settings: Settings,
    engine: Engine,
    background: Background,
    doctor: Doctor,
) -> None:
    @routes.post(
        "/bulk/<action>",
        summary="Do the same to many runs",
        responses=answers(
            {HTTPStatus.OK: DryRunAnswer, HTTPStatus.ACCEPTED: BulkAnswer}, *_REFUSALS
        ),
    )
    def many(path: ActionPath, query: FilterQuery) -> Response:
        """Without a token: count the runs that the filters mean, and give the token.

        With it, and the same filters: do it to those runs that were there at the count. A rerun
        may be confirmed again with the same token, and starts none of them twice.
        """
        wanted = _body(Confirmation, settings)
        token = wanted.token
        filters = query.filters()
        if token is None:
            found = bulk.rehearse(engine, path.action, filters, caller().subject, doctor)
            return DryRunAnswer(
                action=path.action,
                count=found.count,
                token=found.token,
                expires_at=found.expires_at,
            ).response()
        outcome = bulk.perform(
            engine, path.action, filters, caller().subject, doctor, token, wanted.reason
        )
        background.run_accepted()
        background.event_accepted()
        background.command_accepted()
        return BulkAnswer(
            action=path.action,
            count=len(outcome.accepted) + len(outcome.refused),
            accepted=len(outcome.accepted),
            refused=[
                RefusedAnswer(instance_id=run, reason=reason) for run, reason in outcome.refused
            ],
        ).response(HTTPStatus.ACCEPTED)


def _check_step(orchestrator: Orchestrator, instance_id: str, event_id: int) -> None:
    """Raise a 422 unless the event is a step with an effect, as the orchestrator wants it."""
    try:
        history = orchestrator.history(instance_id)
    except UnavailableError as error:
        raise engine_away() from error
    except MissingError:
        history = []
    for event in history:
        command = event.get("input")
        if event["event_id"] == event_id and event["type"] == "TASK_SCHEDULED":
            if isinstance(command, dict) and "key" in command:
                return
            break
    raise documents.unprocessable(
        [documents.Fault("/from_event", "is no step with an effect in the run's history")]
    )


def _body(model: type[M], settings: Settings) -> M:
    """Return the body, which may be left out altogether: all that is in it is optional."""
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return model()
    document: Any = bodies.read_json(settings.largest_document_bytes)
    return cast("M", documents.validate(model, document))


def _accepted(
    run: Run, action: str, *, event_id: str | None = None, fenced: bool | None = None
) -> Response:
    return ActionAnswer(
        instance_id=run.instance_id,
        action=action,
        event_id=event_id,
        fenced=fenced,
        links=run_links(run.instance_id),
    ).response(HTTPStatus.ACCEPTED, {"Location": f"/status/{run.instance_id}"})
