"""``/runs``: the list, and all that is known of one run."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from sqlalchemy import Engine
from sqlalchemy.engine import Row

from holdfast_contracts.core import EffectKey
from holdfast_servicekit.problems import Problem
from holdfast_status_api.answers import (
    AttemptAnswer,
    CauseAnswer,
    EffectAnswer,
    HistoryAnswer,
    RunsAnswer,
    RunSummary,
    TimelineAnswer,
    WhyAnswer,
    run_links,
)
from holdfast_status_api.document import answers
from holdfast_status_api.facts import facts_of, timeline_of
from holdfast_status_api.index import RunIndex
from holdfast_status_api.listing import Position, page
from holdfast_status_api.looking import Looks, known_run
from holdfast_status_api.orchestrator import MissingError, Orchestrator, UnavailableError
from holdfast_status_api.parameters import ListQuery, RunPath
from holdfast_status_api.settings import Settings
from holdfast_status_api.states import State
from holdfast_status_api.why import explain


def api(
    settings: Settings, engine: Engine, orchestrator: Orchestrator, looks: Looks
) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("runs", __name__)
    index = RunIndex(engine)

    @routes.get(
        "/runs",
        summary="List runs",
        responses=answers({HTTPStatus.OK: RunsAnswer}, HTTPStatus.BAD_REQUEST),
    )
    def listing(query: ListQuery) -> Response:
        """List runs, newest first. Runs that are accepted in the meantime move no page."""
        after = None if query.cursor is None else Position.parse(query.cursor)
        rows, following = page(engine, query.filters(), after=after, limit=query.limit)
        return RunsAnswer(
            runs=[summary(row) for row in rows],
            next=None if following is None else following.cursor(),
        ).response()

    @routes.get(
        "/runs/<instance_id>/history",
        summary="Show what the engine has of a run",
        responses=answers({HTTPStatus.OK: HistoryAnswer}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
    )
    def history(path: RunPath) -> Response:
        """Give the engine's history; it is empty as long as the engine does not have the run."""
        run = known_run(index, path.instance_id)
        try:
            events = orchestrator.history(run.instance_id) if run.dispatched else []
        except MissingError:
            events = []
        except UnavailableError as error:
            raise engine_away() from error
        return HistoryAnswer(instance_id=run.instance_id, events=events).response()

    @routes.get(
        "/runs/<instance_id>/timeline",
        summary="Show who tried what, and what came of it",
        responses=answers({HTTPStatus.OK: TimelineAnswer}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
    )
    def timeline(path: RunPath) -> Response:
        """Give the ledger's attempts and effects of the run and its children, by pod."""
        run = known_run(index, path.instance_id)
        attempts, effects = timeline_of(engine, run.instance_id)
        return TimelineAnswer(
            instance_id=run.instance_id,
            attempts=[_attempt(row) for row in attempts],
            effects=[
                EffectAnswer.model_validate({**row._mapping, "index": row.idx})  # noqa: SLF001
                for row in effects
            ],
            pods=sorted({row.pod for row in (*attempts, *effects)}),
        ).response()

    @routes.get(
        "/runs/<instance_id>/why",
        summary="Tell what a run waits for",
        responses=answers({HTTPStatus.OK: WhyAnswer}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
    )
    def why(path: RunPath) -> Response:
        """Say it in a sentence and in parts, with the commands that would free the run."""
        run = looks.look(path.instance_id).run
        answer = explain(facts_of(engine, orchestrator, run, settings))
        return WhyAnswer(
            instance_id=run.instance_id,
            state=run.state,
            sentence=answer.sentence,
            waits_for=[CauseAnswer.model_validate(vars(cause)) for cause in answer.waits_for],
            commands=list(answer.commands),
        ).response()

    return routes


def summary(row: Row[Any]) -> RunSummary:
    """Return a row of the list as its answer."""
    return RunSummary(
        **{**row._mapping, "state": State(row.state)},  # noqa: SLF001 - its documented accessor
        links=run_links(row.instance_id),
    )


def engine_away() -> Problem:
    """Return the 503 for what only the engine knows."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The workflow engine cannot be asked",
        "The run is as safe as before; try again.",
        headers={"Retry-After": "1"},
    )


def _attempt(row: Row[Any]) -> AttemptAnswer:
    key = EffectKey.parse(row.key)
    values = {**row._mapping, "index": key.index, "epoch": key.epoch}  # noqa: SLF001
    return AttemptAnswer.model_validate(values)
