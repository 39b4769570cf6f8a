"""What can be done to a run from its page: each by a form, what cannot be taken back by two."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from holdfast_contracts.core import RESUME, SUSPEND, Event
from holdfast_contracts.request_escalation import HUMAN_APPROVAL
from holdfast_servicekit.problems import Problem
from holdfast_status_api import approvals, operations
from holdfast_status_api.acceptance import Terms, accept_run
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.console import choices, run_page
from holdfast_status_api.console.choices import CONFIRMED, Action
from holdfast_status_api.console.frame import Console, page
from holdfast_status_api.doctor import Doctor
from holdfast_status_api.index import Run
from holdfast_status_api.receipts import accept_event

_LONGEST_REASON = 500
_VERDICTS = {"approve": True, "reject": False}


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""
    deeds: dict[Action, Callable[[Console, Run], str]] = {
        Action.SUSPEND: partial(_signal, event=SUSPEND),
        Action.RESUME: partial(_signal, event=RESUME),
        Action.CANCEL: _cancel,
        Action.TERMINATE: _terminate,
        Action.REPAIR: _repair,
        Action.RERUN: _rerun,
    }
    for action, deed in deeds.items():
        # A route of its own for each: the table of permissions names them.
        pages.add_url_rule(
            f"/runs/<instance_id>/{action}",
            endpoint=action,
            view_func=partial(_act, console, str(action), deed),
            methods=["POST"],
        )

    @pages.post("/runs/<instance_id>/purge")
    def purge(instance_id: str) -> AnyResponse:
        """Delete what is known of the run; there is no page of it to go back to."""
        run = console.looks.look(instance_id).run
        try:
            operations.purge(console.engine, run.instance_id)
        except Problem as problem:
            return run_page.show(console, instance_id, problem.status, problem.body)
        console.background.command_accepted()
        return moved_on("console.runs", done="purge")

    @pages.post("/runs/<instance_id>/decide")
    def decide(instance_id: str) -> AnyResponse:
        verdict = request.form.get("verdict", "")
        if verdict not in _VERDICTS:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Approve it, or reject it")
        return _act(console, verdict, _decide, instance_id)

    @pages.get("/runs/<instance_id>/confirm/<action>")
    def confirm(instance_id: str, action: str) -> Response:
        """Ask once more."""
        if action not in CONFIRMED:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such action")
        run = console.looks.look(instance_id).run
        if action not in choices.of(console.engine, run).actions:
            refusal = Problem(
                HTTPStatus.CONFLICT,
                "This cannot be done now",
                "The run's state, or your role, does not allow it.",
            )
            return run_page.show(console, instance_id, refusal.status, refusal.body)
        return page("confirm.html", run=run, action=action, key=uuid.uuid4().hex)


def _act(
    console: Console, name: str, deed: Callable[[Console, Run], str], instance_id: str
) -> AnyResponse:
    try:
        target = deed(console, console.looks.look(instance_id).run)
    except Problem as problem:
        if problem.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise
        return run_page.show(console, instance_id, problem.status, problem.body)
    return done(name, target)


def done(name: str, instance_id: str) -> AnyResponse:
    """Lead to the run's page, which says what was accepted."""
    return moved_on("console.run", instance_id=instance_id, done=name)


def moved_on(endpoint: str, **values: Any) -> AnyResponse:
    """Lead to a page after something was done."""
    if "audit_recorded" in g:
        # The entry that went with the change says all; the redirect is only how a page tells it.
        g.audit_recorded = int(HTTPStatus.SEE_OTHER)
    return redirect(url_for(endpoint, **values), HTTPStatus.SEE_OTHER)


def form_key() -> str | None:
    """Return the key that makes a form that is sent twice count once."""
    key = request.form.get("key", "")
    return f"console-{key}" if key.isalnum() and key.isascii() else None


def _signal(console: Console, run: Run, *, event: Event) -> str:
    operations.signal(console.engine, run.instance_id, event, reason_of_form())
    console.background.event_accepted()
    return run.instance_id


def _cancel(console: Console, run: Run) -> str:
    operations.cancel(console.engine, run.instance_id, run.workflow, reason_of_form())
    console.background.event_accepted()
    return run.instance_id


def _terminate(console: Console, run: Run) -> str:
    operations.terminate(console.engine, run.instance_id, reason_of_form())
    console.background.command_accepted()
    return run.instance_id


def _repair(console: Console, run: Run) -> str:
    doctor = Doctor(console.engine, console.orchestrator, console.settings)
    operations.refuse_to_repair(run.instance_id, doctor.look(run))
    operations.repair(console.engine, run.instance_id, reason_of_form())
    console.background.command_accepted()
    return run.instance_id


def _rerun(console: Console, run: Run) -> str:
    again = accept_run(
        console.engine,
        operations.repeatable(run),
        run.input,
        instance_id=None,
        idempotency_key=form_key(),
        requested_by=caller().subject,
        terms=Terms(rerun_of=run.instance_id),
    )
    console.background.run_accepted()
    return again.instance_id


def _decide(console: Console, run: Run) -> str:
    flow = operations.flow_of(run.workflow)
    event = flow.event(HUMAN_APPROVAL.name)
    if event is None:
        raise Problem(HTTPStatus.CONFLICT, "There is nothing to decide", "This run is no order.")
    approvals.refuse_own(console.engine, event, run, caller())
    document = {
        "approved": _VERDICTS[request.form["verdict"]],
        "comment": request.form.get("comment", "").replace("\r\n", "\n"),
    }
    data = approvals.data_of(event, document, caller())
    accept_event(
        console.engine,
        run.instance_id,
        event,
        data.model_dump(mode="json"),
        idempotency_key=None,
    )
    console.background.event_accepted()
    return run.instance_id


def reason_of_form() -> str:
    """Return what the form says why, or raise a 422 for what cannot be kept."""
    reason = request.form.get("reason", "").strip()
    if len(reason) > _LONGEST_REASON or "\0" in reason:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The reason is too long",
            f"It may have {_LONGEST_REASON} characters, and no NUL.",
        )
    return reason
