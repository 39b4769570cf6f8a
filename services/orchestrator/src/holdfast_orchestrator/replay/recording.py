"""A run's history as the engine keeps it, as JSON, so that it can be sent and stored."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast_orchestrator.engine import HistoryEvent


class Recording(BaseModel):
    """One instance, a run or a child of one, and every event of its current generation."""

    model_config = ConfigDict(extra="forbid")

    instance_id: str
    #: Which app the installation sends its activities to.
    worker_app_id: str
    #: Protobuf messages of the type ``HistoryEvent``, each in base64.
    events: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, instance_id: str, worker_app_id: str, events: Iterable[HistoryEvent]) -> Recording:
        """Return the recording of these events."""
        encoded = [b64encode(event.SerializeToString()).decode() for event in events]
        return cls(instance_id=instance_id, worker_app_id=worker_app_id, events=encoded)

    def history(self) -> History:
        """Return the events; raise ``ValueError`` where they are none."""
        try:
            return History(
                [HistoryEvent.FromString(b64decode(text, validate=True)) for text in self.events]
            )
        except Exception as error:  # protobuf's own error has no base that its types name
            raise ValueError(f"{self.instance_id}: the history cannot be read: {error}") from error


@dataclass(frozen=True)
class History:
    """What the engine has saved of an instance."""

    events: Sequence[HistoryEvent]

    @property
    def workflow(self) -> str:
        """The name of the workflow; empty for an instance that has not begun."""
        return next((e.executionStarted.name for e in self._of("executionStarted")), "")

    @property
    def version(self) -> str:
        """The version that the run began in; empty for one that has none."""
        started = (e.workflowStarted.version.name for e in self._of("workflowStarted"))
        return next(started, "")

    @property
    def patches(self) -> list[str]:
        """The patches that the run has taken, in the order in which it took them."""
        return [p for e in self._of("workflowStarted") for p in e.workflowStarted.version.patches]

    @property
    def in_flight(self) -> bool:
        """Whether the run has begun and not ended, nor been told to end."""
        ends = ("executionCompleted", "executionTerminated")
        return bool(self.workflow) and not any(any(self._of(kind)) for kind in ends)

    @property
    def undispatched(self) -> bool:
        """Whether the run is in its first turn, of which nothing could be sent to another app."""
        turns = sum(1 for _ in self._of("workflowStarted"))
        sent = any(self._of("taskScheduled", "childWorkflowInstanceCreated"))
        return turns == 1 and not sent

    @property
    def suspended(self) -> bool:
        """Whether the engine holds the run."""
        last = [
            e.WhichOneof("eventType") for e in self._of("executionSuspended", "executionResumed")
        ]
        return last[-1:] == ["executionSuspended"]

    @property
    def stalled_because(self) -> str:
        """Why the engine holds the run back, if it does: no worker had the code for it."""
        last = self.events[-1] if self.events else None
        if last is None or not last.HasField("executionStalled"):
            return ""
        return str(last.executionStalled.description).strip()

    def steps(self) -> list[HistoryEvent]:
        """Return the events that record a step of the code."""
        kinds = ("taskScheduled", "childWorkflowInstanceCreated", "timerCreated")
        return list(self._of(*kinds))

    def open_children(self) -> list[str]:
        """Return the instance IDs of the children that the run waits for."""
        created = {
            e.eventId: e.childWorkflowInstanceCreated.instanceId
            for e in self._of("childWorkflowInstanceCreated")
        }
        for kind in ("childWorkflowInstanceCompleted", "childWorkflowInstanceFailed"):
            for event in self._of(kind):
                created.pop(getattr(event, kind).taskScheduledId, None)
        return list(created.values())

    def open_activities(self) -> list[HistoryEvent]:
        """Return the scheduled activities that have no result yet."""
        scheduled = {event.eventId: event for event in self._of("taskScheduled")}
        for kind in ("taskCompleted", "taskFailed"):
            for event in self._of(kind):
                scheduled.pop(getattr(event, kind).taskScheduledId, None)
        return list(scheduled.values())

    def _of(self, *kinds: str) -> Iterator[HistoryEvent]:
        return (event for event in self.events if event.WhichOneof("eventType") in kinds)


def dump(recordings: Iterable[Recording]) -> str:
    """Return recordings as lines of JSON."""
    return "".join(f"{recording.model_dump_json()}\n" for recording in recordings)


def load(text: str) -> list[Recording]:
    """Read lines of JSON; raise ``ValueError`` that names the first line that is no recording."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append(Recording.model_validate_json(line))
        except ValidationError as error:
            raise ValueError(f"line {number} is no recorded history") from error
    return found
