"""The words that every contract is written in: workflow, activity, event, command, effect key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")

#: What a caller may choose as an instance ID. The engine's own separators (``::``, ``||``) and
#: the one for child workflows (``:``) are outside the alphabet, so no run can shadow a child.
INSTANCE_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
InstanceId = Annotated[str, Field(pattern=INSTANCE_ID_PATTERN)]

Seconds = Annotated[float, Field(allow_inf_nan=False)]


class Model(BaseModel):
    """An immutable value that rejects unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class App(StrEnum):
    """Which of the two workflow applications implements an activity."""

    ORCHESTRATOR = "orchestrator"
    ACTIVITY_WORKER = "activity-worker"


@dataclass(frozen=True)
class EffectKey:
    """The identity of one effect, the same in every replay and every attempt.

    ``instance`` is the root run's, ``epoch`` counts continue-as-new, ``step`` names the activity
    and ``index`` tells repetitions of a step in one epoch apart. The engine's own ids are not
    used: a task id restarts at continue-as-new, and a task execution id can differ when a turn
    that was never saved runs again.
    """

    instance: str
    epoch: int
    step: str
    index: int

    def __str__(self) -> str:
        return f"{self.instance}|{self.epoch}|{self.step}|{self.index}"

    @classmethod
    def parse(cls, text: str) -> EffectKey:
        """Return the key that ``str`` made; raise ``ValueError`` for anything else."""
        instance, epoch, step, index = text.split("|")
        return cls(instance, int(epoch), step, int(index))


class Command(Model):
    """The input of an activity that has an effect.

    The workflow makes the key; an activity that is given the same key twice does its work once
    and returns the stored result the second time.
    """

    key: str
    #: The workflow instance that runs the step: the root run, or the child of it.
    instance: str
    #: The effect is the run's last: the run is closed in the transaction that commits it.
    closes_run: bool = False
    #: Events that the run took since its last effect; consumed in this one's transaction.
    consumed_events: tuple[str, ...] = ()

    #: Fields that only hint at something the activity decides by facts of its own. The order of
    #: events can differ when a lost turn runs again, so nothing that depends on it is hashed.
    hints: ClassVar[frozenset[str]] = frozenset()

    def payload_hash(self) -> str:
        """Return the SHA-256 of what the effect does, apart from its identity.

        Two attempts with one key must agree on it.
        """
        unhashed = {*Command.model_fields, *self.hints}
        payload = self.model_dump(mode="json", exclude=unhashed)
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class RetryPolicy(Model):
    """How often a failing activity is tried, and how long the run waits in between, in seconds."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    first_interval_seconds: Annotated[Seconds, Field(gt=0, le=3600)] = 1.0
    backoff: Annotated[float, Field(ge=1, le=10)] = 2.0
    max_interval_seconds: Annotated[Seconds, Field(gt=0, le=86400)] = 30.0

    def delay_seconds(self, failures: int) -> float:
        """Return the wait after the given number of failures (1 or more)."""
        grown = self.first_interval_seconds * self.backoff ** min(failures - 1, 64)
        return float(min(grown, self.max_interval_seconds))


@dataclass(frozen=True)
class Activity(Generic[In, Out]):
    """A registered activity: its name, the app that implements it, and its types."""

    name: str
    input: type[In]
    output: type[Out]
    app: App = App.ACTIVITY_WORKER


@dataclass(frozen=True)
class Event:
    """An external event that a run can take, and the type of its data."""

    name: str
    data: type[BaseModel]
    summary: str


@dataclass(frozen=True)
class Workflow(Generic[In, Out]):
    """A registered workflow: its name, its types, and what may be done to a run of it."""

    name: str
    input: type[In]
    output: type[Out]
    summary: str
    activities: tuple[Activity[Any, Any], ...]
    events: tuple[Event, ...] = ()
    #: Started by other workflows only; not offered by the API.
    internal: bool = False
    #: Declares that re-running from an event of its history does no harm.
    rerun_from_event: bool = False
    #: What the workflow hands itself at continue-as-new, where that is more than its input.
    turn: type[In] | None = None
    #: The number that a run which starts now is marked with. A run goes on in the version that it
    #: began in; see docs/versioning.md before you change it.
    version: str = "1"

    @property
    def cancellable(self) -> bool:
        """Whether the workflow takes a cancellation and undoes what it did."""
        return CANCEL in self.events

    def event(self, name: str) -> Event | None:
        """Return the declared event of that name, if there is one."""
        return next((event for event in self.events if event.name == name), None)


class RaisedEvent(Model):
    """The data of an event on the engine: an id, so that it is taken once, and the payload."""

    event_id: str
    data: dict[str, Any]


class CloseRun(Command):
    """Close a run, or a child, whose last step had no effect to do it with."""


class RunClosed(Model):
    """The run takes no new effect from now on."""

    instance: str


class Checkpoint(Model):
    """A step that does nothing but commit the turn before it."""


class Checkpointed(Model):
    """The turn before a checkpoint is saved, unless its answer came ahead of its question."""

    early: bool = False


CLOSE_RUN = Activity("close_run", CloseRun, RunClosed)

#: Runs in the orchestrator itself, after every timer. The engine saves a fired timer with the
#: turn that follows it; a turn that dispatches to another app can fail after the timer was taken
#: and leave the instance unreadable for good. A local step cannot.
CHECKPOINT = Activity("checkpoint", Checkpoint, Checkpointed, App.ORCHESTRATOR)


class ChildOf(Model):
    """A child workflow and the parent that it reports to."""

    parent: str
    child: str


class Committed(Model):
    """Whether the parent's turn that made the child is saved."""

    committed: bool


#: Runs in the orchestrator itself, before a child ends. A parent whose turn was lost makes its
#: children again, with its own lock held; a child that ends meanwhile waits for that lock with
#: its own held. Each waits for the other for good. A child that ends later cannot meet it.
PARENT_COMMITTED = Activity("parent_committed", ChildOf, Committed, App.ORCHESTRATOR)


class Cancellation(Model):
    """Why somebody wants the run to stop and undo what it did."""

    reason: Annotated[str, Field(max_length=500)] = ""


class SuspendRequest(Model):
    """Ask the run to hold before its next step."""

    reason: Annotated[str, Field(max_length=500)] = ""


class ResumeRequest(Model):
    """Ask a held run to go on."""

    reason: Annotated[str, Field(max_length=500)] = ""


CANCEL = Event("cancel", Cancellation, "Undo what was done and end the run as cancelled.")
#: Every workflow takes these two; they are the gate between steps, not the engine's suspension.
SUSPEND = Event("suspend", SuspendRequest, "Hold before the next step.")
RESUME = Event("resume", ResumeRequest, "Go on after a suspension.")

#: The custom status of a run that stands at the gate.
SUSPENDED_STATUS = "suspended"
#: The custom status of a run that waits for an event begins with this; the event's name follows.
WAITING_STATUS = "waiting for "
