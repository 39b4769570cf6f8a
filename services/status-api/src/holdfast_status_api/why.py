"""What a run waits for, in one sentence and in parts, and what would free it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_contracts.core import RESUME
from holdfast_status_api import approvals
from holdfast_status_api.frozen import Frozen
from holdfast_status_api.index import Run
from holdfast_status_api.opened import CHILD, TASK, TIMER, open_steps
from holdfast_status_api.samples import sample_of
from holdfast_status_api.states import STALLED, State

#: What is listed one by one; a batch waits for thousands of items.
_SHOWN = 20


class Kind(StrEnum):
    """The kinds of things that a run can wait for."""

    START = "start"
    ENGINE = "engine"
    ACTIVITY = "activity"
    CHILD = "child"
    TIMER = "timer"
    EVENT = "event"
    SUSPENSION = "suspension"
    STALLED = "stalled"
    FROZEN = "frozen"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Cause:
    """One thing that a run waits for."""

    kind: Kind
    name: str | None = None
    app_id: str | None = None
    #: Whether that app has a process that could do it now; ``None`` if nobody can tell.
    worker_connected: bool | None = None
    until: datetime | None = None
    since: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Why:
    """The answer."""

    sentence: str
    waits_for: Sequence[Cause]
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Facts:
    """All that the answer is made from."""

    run: Run
    #: How often the start was tried, and what came of the last time.
    start_attempts: int = 0
    start_error: str | None = None
    #: ``None``: the engine could not be asked.
    history: Sequence[Mapping[str, Any]] | None = None
    engine_status: str | None = None
    orchestrator_connected: bool | None = None
    orchestrator_app_id: str = ""
    worker_app_id: str = ""
    worker_connected: bool | None = None
    #: The newest attempt of each step that has not ended or failed, by step.
    attempts: Mapping[str, str] = field(default_factory=dict)
    #: Events that were accepted and that the run does not have yet.
    undelivered: Sequence[str] = ()
    #: Nothing that is under way, or due some day, will move it.
    frozen: Frozen | None = None


def explain(facts: Facts) -> Why:
    """Return why the run is not further than it is."""
    run = facts.run
    if run.state.terminal:
        return Why(f"It waits for nothing: it is {run.state}.", (Cause(Kind.NOTHING),))
    return _started(facts) if run.dispatched else _not_started(facts)


def _started(facts: Facts) -> Why:
    run = facts.run
    if facts.frozen is not None:
        return _frozen(facts, facts.frozen)
    if facts.history is None:
        cause = Cause(
            Kind.ENGINE,
            facts.orchestrator_app_id,
            facts.orchestrator_app_id,
            facts.orchestrator_connected,
            since=run.updated_at,
        )
        sentence = "The workflow engine cannot be asked; the run goes on when it is back."
        return Why(sentence, (cause,))
    if facts.engine_status == STALLED:
        return _stalled(facts)
    if run.state is State.SUSPENDED:
        return _suspended(facts)
    return _running(facts)


def _not_started(facts: Facts) -> Why:
    run = facts.run
    if run.start_at is not None and run.start_at > datetime.now(UTC):
        cause = Cause(Kind.START, until=run.start_at, since=run.accepted_at)
        return Why(f"It is to start at {_clock(run.start_at)}.", (cause,), (_cancel(run),))
    cause = Cause(
        Kind.START,
        facts.orchestrator_app_id,
        facts.orchestrator_app_id,
        facts.orchestrator_connected,
        since=run.start_at or run.accepted_at,
        detail=facts.start_error,
    )
    tried = f"; tried {facts.start_attempts} times" if facts.start_attempts else ""
    sentence = f"It is accepted and stored, and the orchestrator does not have it yet{tried}."
    return Why(sentence, (cause, *_no_worker(facts)))


def _stalled(facts: Facts) -> Why:
    stalled = [event for event in facts.history or () if event["type"] == "EXECUTION_STALLED"]
    since = _moment(stalled[-1]["timestamp"]) if stalled else None
    detail = stalled[-1].get("detail") if stalled else None
    sentence = (
        "The engine has set it aside: no worker of the version that it needs is there,"
        " or what it carries is too large."
    )
    if detail:
        sentence = f"The engine has set it aside: {detail}."
    cause = Cause(Kind.STALLED, since=since, detail=detail)
    return Why(sentence, (cause,), (f"holdfast wf terminate {facts.run.instance_id}",))


def _frozen(facts: Facts, frozen: Frozen) -> Why:
    cause = Cause(Kind.FROZEN, frozen.instance_id, since=frozen.since, detail=frozen.reason)
    sentence = f"It is frozen. {frozen.sentence}"
    return Why(sentence, (cause, *_open(facts)), (frozen.command(facts.run),))


def _suspended(facts: Facts) -> Why:
    run = facts.run
    since = next(
        (
            _moment(event["timestamp"])
            for event in reversed(facts.history or ())
            if event["type"] == "EVENT_RAISED" and event["name"] == "suspend"
        ),
        run.updated_at,
    )
    under_way = [cause for cause in _open(facts) if cause.name != RESUME.name]
    cause = Cause(Kind.SUSPENSION, RESUME.name, since=since)
    sentence = "It is suspended and takes no further step until it is resumed."
    return Why(sentence, (cause, *under_way), (f"holdfast wf resume {run.instance_id}",))


def _running(facts: Facts) -> Why:
    run = facts.run
    causes = _open(facts)
    if not causes:
        cause = Cause(
            Kind.ENGINE,
            facts.orchestrator_app_id,
            facts.orchestrator_app_id,
            facts.orchestrator_connected,
            since=run.updated_at,
        )
        absent = _no_worker(facts)
        if facts.orchestrator_connected is False:
            sentence = "Its next turn is due, and the orchestrator has no worker connected."
        elif absent:
            sentence = f"Its next step is due, and {facts.worker_app_id} has no worker connected."
        else:
            sentence = "Its next turn is due; the orchestrator has it in hand."
        return Why(sentence, absent or (cause,))
    commands = [
        _send(run, cause.name)
        for cause in causes
        if cause.kind is Kind.EVENT
        and cause.name is not None
        and cause.name not in facts.undelivered
    ]
    return Why(_sentence(causes), causes, commands)


def _no_worker(facts: Facts) -> tuple[Cause, ...]:
    """Return that no worker is there: the engine saves no turn that calls a step there, then.

    So the history does not show the step, not even that the run was started.
    """
    if facts.worker_connected is not False:
        return ()
    app_id = facts.worker_app_id
    return (Cause(Kind.ACTIVITY, None, app_id, worker_connected=False, since=facts.run.updated_at),)


def _sentence(causes: Sequence[Cause]) -> str:
    first = causes[0]
    more = f" (and {len(causes) - 1} more)" if len(causes) > 1 else ""
    since = f", since {_clock(first.since)}" if first.since else ""
    match first.kind:
        case Kind.ACTIVITY:
            where = f"the activity {first.name}{more}{since}, on {first.app_id}"
            if first.worker_connected is False:
                return f"It waits for {where}, which has no worker connected now."
            detail = f"; {first.detail}" if first.detail else ""
            return f"It waits for {where}{detail}."
        case Kind.CHILD:
            return f"It waits for its child {first.name}{more}{since}."
        case Kind.EVENT:
            until = f", at most until {_clock(first.until)}" if first.until else ""
            return f"It waits for the event {first.name}{since}{until}."
        case _:
            until = _clock(first.until) if first.until else "a time that is not known"
            return f"It waits for a timer until {until}{more}."


def _open(facts: Facts) -> list[Cause]:
    """Return what is scheduled and not done, the activities first: they are what can hang."""
    makers: Mapping[str, Callable[[Mapping[str, Any]], Cause]] = {
        TASK: lambda event: _activity(facts, event),
        CHILD: _child,
        TIMER: _timer,
    }
    return [makers[event["type"]](event) for event in open_steps(facts.history or ())][:_SHOWN]


def _activity(facts: Facts, event: Mapping[str, Any]) -> Cause:
    app_id = event.get("app_id")
    own = app_id is None or app_id == facts.orchestrator_app_id
    return Cause(
        Kind.ACTIVITY,
        event["name"],
        app_id or facts.orchestrator_app_id,
        facts.orchestrator_connected if own else facts.worker_connected,
        since=_moment(event["timestamp"]),
        detail=facts.attempts.get(event["name"]),
    )


def _child(event: Mapping[str, Any]) -> Cause:
    return Cause(
        Kind.CHILD,
        event.get("instance_id"),
        since=_moment(event["timestamp"]),
        detail=f"a run of {event['name']}",
    )


def _timer(event: Mapping[str, Any]) -> Cause:
    fire_at = event.get("fire_at")
    waited_for = event.get("event")
    return Cause(
        Kind.EVENT if waited_for else Kind.TIMER,
        waited_for,
        until=_moment(fire_at) if fire_at else None,
        since=_moment(event["timestamp"]),
    )


def _moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _send(run: Run, event: str) -> str:
    """Return the command that sends an event, with data that its contract takes."""
    flow = WORKFLOWS.get(run.workflow)  # none: the run was started by other means
    declared = None if flow is None else flow.event(event)
    data = {} if declared is None else sample_of(approvals.body_of(declared))
    text = shlex.quote(json.dumps(data, ensure_ascii=False))
    return f"holdfast wf raise-event {run.instance_id} {event} --event-data {text}"


def _cancel(run: Run) -> str:
    return f"holdfast wf terminate {run.instance_id}"


def next_timer(history: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Return when the run's next timer is due; ``None`` if something else may come before."""
    steps = open_steps(history)
    if any(event["type"] == TASK for event in steps):
        return None
    due = [event["fire_at"] for event in steps if event["type"] == TIMER and event.get("fire_at")]
    return min(map(_moment, due), default=None)
