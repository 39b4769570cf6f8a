"""Whether a run is frozen: nothing that is under way, or due some day, will move it again.

A run that waits for a person, for a later time, or for a process that is away is not. What tells
them apart is in the engine's history, in the ledger's attempts, and in what the scheduler forgot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from holdfast_status_api.index import Run
from holdfast_status_api.opened import CHILD, TASK, TIMER, Event, open_steps
from holdfast_status_api.orchestrator import PENDING
from holdfast_status_api.states import STALLED

_ENDED = frozenset({"COMPLETED", "FAILED", "TERMINATED"})
_LONGEST_DETAIL = 200


class Reason(StrEnum):
    """Why nothing will move a run."""

    #: The engine cannot load its state: hazard 1 of docs/hazards.md.
    UNREADABLE = "unreadable"
    #: The scheduler has lost its memory since something was scheduled that the run waits for.
    FORGOTTEN = "forgotten"
    TIMER_OVERDUE = "timer_overdue"
    #: An activity was scheduled and no worker was given it.
    NOT_DISPATCHED = "not_dispatched"
    NEVER_BEGAN = "never_began"
    #: It waits for nothing, and takes no turn.
    TURN_LOST = "turn_lost"
    #: A child has ended, or is gone, and its parent does not know.
    ANSWER_LOST = "answer_lost"
    #: The engine has no such instance; `ENDED`: and the ledger says that the run was over.
    MISSING = "missing"
    ENDED = "ended"


@dataclass(frozen=True)
class Frozen:
    """What froze, and since when."""

    reason: Reason
    sentence: str
    since: datetime
    #: The instance that froze: the run, or a child that it waits for.
    instance_id: str
    repairable: bool = True

    def command(self, run: Run) -> str:
        """Return what frees it."""
        return f"holdfast wf {'repair' if self.repairable else 'terminate'} {run.instance_id}"


@dataclass(frozen=True)
class Instance:
    """What the engine says of a run, or of a child of it."""

    instance_id: str
    #: ``None``: the engine has no such instance.
    status: str | None = None
    history: Sequence[Event] = ()
    #: What the engine says where it cannot load the state.
    unreadable: str | None = None
    #: Those that it waits for.
    children: Sequence[Instance] = ()

    @property
    def moved_at(self) -> datetime | None:
        """When something last happened to it."""
        return max((_moment(event["timestamp"]) for event in self.history), default=None)

    @cached_property
    def open(self) -> Sequence[Event]:
        """Its steps that have no answer yet."""
        return open_steps(self.history)


@dataclass(frozen=True)
class Case:
    """All that tells whether a run is frozen."""

    run: Run
    instance: Instance
    now: datetime
    #: What is late by less than this is only late.
    grace: timedelta
    #: The orchestrator and a worker are there: what is due would be done.
    connected: bool = True
    #: The newest attempt of each open step, by its key, and the keys of those that run now.
    tried_at: Mapping[str, datetime] = field(default_factory=dict)
    under_way: Collection[str] = frozenset()
    #: When the scheduler was found to have lost its memory.
    forgot_at: datetime | None = None
    #: The ledger has the run as ended.
    closed: bool = False
    #: Its cancellation was accepted.
    cancelled: bool = False

    def quiet(self, since: datetime) -> bool:
        """Tell whether something is longer ago than it may take."""
        return self.now - since > self.grace


def diagnose(case: Case) -> Frozen | None:
    """Return what froze the run, if something did."""
    run, instance = case.run, case.instance
    if run.state.terminal or not run.dispatched:
        return None
    if instance.unreadable is None and instance.status is None:
        return _missing(case) if case.quiet(run.updated_at) else None
    return _of(case, instance)


def _of(case: Case, instance: Instance) -> Frozen | None:
    moved_at = instance.moved_at or case.run.updated_at
    if instance.unreadable is not None:
        detail = instance.unreadable[:_LONGEST_DETAIL]
        sentence = f"The engine cannot load {_whose(case, instance, 'state')}: {detail}"
        found = _frozen(instance, Reason.UNREADABLE, sentence, moved_at)
        return found if case.quiet(moved_at) else None
    if not case.connected or instance.status == STALLED or instance.status in _ENDED:
        return None
    steps = [step for step in instance.open if _key(step) not in case.under_way]
    return (
        _forgotten(case, instance, steps, moved_at)
        or (_quiet(case, instance, steps, moved_at) if case.quiet(moved_at) else None)
        or next(filter(None, (_of(case, child) for child in instance.children)), None)
    )


def _missing(case: Case) -> Frozen:
    run = case.run
    if case.closed:
        sentence = "It has ended, by the ledger's word; the engine has lost how."
        return _frozen(case.instance, Reason.ENDED, sentence, run.updated_at)
    sentence = "It was started, and the engine does not have it: its state is lost."
    found = _frozen(case.instance, Reason.MISSING, sentence, run.updated_at)
    if not case.cancelled:
        return found
    # Begun anew it would take the cancellation at another step than it did before.
    more = f"{sentence} It was being cancelled: end it, and undo by hand what the timeline shows."
    return replace(found, sentence=more, repairable=False)


def _forgotten(
    case: Case, instance: Instance, steps: Sequence[Event], moved_at: datetime
) -> Frozen | None:
    """Return that what the instance waits for was scheduled before the scheduler forgot it."""
    if case.forgot_at is None:
        return None
    # A child is told of by itself.
    waits = [step for step in steps if step["type"] != CHILD]
    lost = [step for step in waits if _moment(step["timestamp"]) < case.forgot_at]
    if not lost and (instance.open or moved_at >= case.forgot_at):
        return None
    what = _what(lost[0]) if lost else "its next turn"
    sentence = f"{_who(case, instance)} waits for {what}, which the scheduler may have forgotten."
    sentence = sentence[0].upper() + sentence[1:]
    return _frozen(instance, Reason.FORGOTTEN, sentence, case.forgot_at)


def _quiet(
    case: Case, instance: Instance, steps: Sequence[Event], moved_at: datetime
) -> Frozen | None:
    """Return why an instance that has not moved for long will not, if it will not."""
    who = _who(case, instance)
    if instance.status == PENDING:
        sentence = f"What begins {who} was lost: it was created and never began."
        return _frozen(instance, Reason.NEVER_BEGAN, sentence, moved_at)
    if not instance.open:
        sentence = f"The next turn of {who} is due, and nothing makes the engine take it."
        return _frozen(instance, Reason.TURN_LOST, sentence, moved_at)
    return _late(case, instance, steps) or _unanswered(instance, moved_at)


def _late(case: Case, instance: Instance, steps: Sequence[Event]) -> Frozen | None:
    for step in steps:
        if step["type"] == TIMER and step.get("fire_at"):
            since = _moment(step["fire_at"])
            sentence = f"The time {_clock(since)} has passed and has not woken {{}}."
            reason = Reason.TIMER_OVERDUE
        elif step["type"] == TASK:
            since = max(_moment(step["timestamp"]), case.tried_at.get(_key(step) or "", _NEVER))
            sentence = f"The step {step['name']} of {{}} is scheduled, and nobody was given it."
            reason = Reason.NOT_DISPATCHED
        else:
            continue
        if case.quiet(since):
            text = sentence.format(_who(case, instance))
            return _frozen(instance, reason, text, since)
    return None


def _unanswered(instance: Instance, moved_at: datetime) -> Frozen | None:
    for child in instance.children:
        if child.unreadable is None and (child.status is None or child.status in _ENDED):
            state = "is gone" if child.status is None else "has ended"
            sentence = f"Its child {child.instance_id} {state}, and its answer is lost."
            return _frozen(child, Reason.ANSWER_LOST, sentence, moved_at)
    return None


def _frozen(instance: Instance, reason: Reason, sentence: str, since: datetime) -> Frozen:
    return Frozen(reason, sentence, since, instance.instance_id)


def _who(case: Case, instance: Instance) -> str:
    own = instance.instance_id == case.run.instance_id
    return "the run" if own else f"its child {instance.instance_id}"


def _whose(case: Case, instance: Instance, what: str) -> str:
    own = instance.instance_id == case.run.instance_id
    return f"its {what}" if own else f"the {what} of its child {instance.instance_id}"


def _what(step: Event) -> str:
    if step["type"] == TASK:
        return f"the step {step['name']}"
    due = step.get("fire_at")
    return f"the timer of {_clock(_moment(due))}" if due else "a timer"


def _key(step: Event) -> str | None:
    """Return the effect key of a step, if it has one."""
    command: Any = step.get("input")
    return command.get("key") if isinstance(command, dict) else None


def keys_of(instance: Instance) -> list[str]:
    """Return the effect keys of the open steps of an instance and of its children."""
    own = [key for step in instance.open if (key := _key(step)) is not None]
    return own + [key for child in instance.children for key in keys_of(child)]


_NEVER = datetime.min.replace(tzinfo=UTC)


def _moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
