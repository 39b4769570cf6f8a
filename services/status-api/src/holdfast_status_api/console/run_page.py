"""One run: what it is, why it waits, what was done, what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, render_template, request

from holdfast_status_api import facts, why
from holdfast_status_api.console import chart, choices
from holdfast_status_api.console.frame import Console, fingerprint, page
from holdfast_status_api.index import Run
from holdfast_status_api.orchestrator import MissingError, UnavailableError
from holdfast_status_api.receipts import receipts_of

#: What an attempt came to is written after its run has ended; so long it may take.
_SETTLING = timedelta(seconds=4)
_MOST_ROWS = 400
_DONE = {
    "start": "The run is accepted.",
    "suspend": "The suspension is accepted: the run holds before its next step.",
    "resume": "The resumption is accepted.",
    "cancel": "The cancellation is accepted: the run undoes what it did.",
    "terminate": "The run is being terminated.",
    "repair": "The repair is accepted: what the run waits for is made again.",
    "rerun": "This new run is accepted.",
    "approve": "Your approval is accepted.",
    "reject": "Your rejection is accepted.",
}
#: In the order of the page.
_SECTIONS = ("summary", "why", "actions", "timeline", "events", "history")


@dataclass(frozen=True)
class Shown:
    """The parts of a page, and whether it goes on changing."""

    run: Run
    sections: Mapping[str, str]
    settled: bool

    @property
    def seen(self) -> dict[str, str]:
        """Return each part's fingerprint."""
        return {name: fingerprint([text]) for name, text in self.sections.items()}


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.get("/runs/<instance_id>")
    def run(instance_id: str) -> Response:
        return show(console, instance_id)

    @pages.get("/runs/<instance_id>/live")
    def live(instance_id: str) -> Response:
        """Answer with the parts that differ from those that the browser has."""
        view = _view(console, instance_id)
        had = request.args.get("seen", "").split(".")
        changed = [name for name, seen in view.seen.items() if seen not in had]
        if not changed and not view.settled:
            return Response(status=HTTPStatus.NO_CONTENT)
        return page("live.html", view=view, changed=changed, seen=".".join(view.seen.values()))


def show(
    console: Console,
    instance_id: str,
    status: int = HTTPStatus.OK,
    problem: Mapping[str, Any] | None = None,
) -> Response:
    """Return the page of a run; with a problem, it says what was refused."""
    view = _view(console, instance_id)
    return page(
        "run.html",
        status,
        run=view.run,
        view=view,
        order=_SECTIONS,
        seen=".".join(view.seen.values()),
        done=_DONE.get(request.args.get("done", "")) if request.method == "GET" else None,
        problem=problem,
        live=request.args.get("live") != "off",
    )


def _view(console: Console, instance_id: str) -> Shown:
    looked = console.looks.look(instance_id)
    run = looked.run
    now = datetime.now(UTC)
    settled = run.state.terminal and (run.finished_at is None or now - run.finished_at > _SETTLING)
    known = facts.facts_of(console.engine, console.orchestrator, run, console.settings)
    history = _history(console, run, known)
    attempts, effects = facts.timeline_of(console.engine, run.instance_id)
    until = run.finished_at if run.finished_at is not None else now
    values: dict[str, dict[str, Any]] = {
        "summary": {"stale": looked.stale},
        "why": {"why": why.explain(known)},
        "actions": {"choices": choices.of(console.engine, run, known.frozen)},
        "timeline": {
            "chart": chart.draw(attempts, effects, until=until, over=settled),
            "attempts": attempts[-_MOST_ROWS:],
            "cut": chart.interrupted(attempts, over=settled),
            "left_out": max(0, len(attempts) - _MOST_ROWS),
            "label": chart.label,
            "GUTTER": chart.GUTTER,
            "WIDTH": chart.WIDTH,
        },
        "events": {"receipts": receipts_of(console.engine, run.instance_id)},
        "history": {
            "events": None if history is None else history[-_MOST_ROWS:],
            "left_out": 0 if history is None else max(0, len(history) - _MOST_ROWS),
        },
    }
    sections = {
        name: render_template(f"console/{name}.html", run=run, **values[name]) for name in _SECTIONS
    }
    return Shown(run, sections, settled)


def _history(console: Console, run: Run, known: why.Facts) -> list[Any] | None:
    """Return the engine's history, or ``None`` while it cannot be asked."""
    if known.history is not None:
        return list(known.history)
    if not run.dispatched:
        return []
    try:
        return list(console.orchestrator.history(run.instance_id))
    except MissingError:
        return []
    except UnavailableError:
        return None
