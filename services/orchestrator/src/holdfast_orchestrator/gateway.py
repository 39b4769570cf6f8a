"""The engine as the management API sees it: every call bounded, every refusal a known one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import grpc
from dapr.ext.workflow import DaprWorkflowClient, WorkflowState
from dapr.ext.workflow.workflow_state import WorkflowStatus
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

from holdfast_contracts.core import EffectKey
from holdfast_orchestrator.engine import TaskHubGrpcClient
from holdfast_orchestrator.history import describe, parsed, rfc3339
from holdfast_orchestrator.ordering import REARM_EVENT, Rearming
from holdfast_orchestrator.replay.recording import Recording

T = TypeVar("T")

TERMINAL = frozenset({"COMPLETED", "FAILED", "TERMINATED"})
#: No workflow waits for it: it does nothing but make the engine look at the instance.
WAKE_EVENT = "holdfast-wake"
#: A child that has not begun after this time is taken to have lost what starts it.
_CHILD_BEGINS_WITHIN = timedelta(seconds=5)
#: What the engine says of a state that it will never be able to load: hazard 1.
_UNREADABLE = "declared in metadata"


class EngineUnavailableError(Exception):
    """The engine cannot be asked now; nothing is known to have changed."""


class InstanceUnreadableError(Exception):
    """The engine has the instance, and cannot load its state."""


class NoSuchInstanceError(Exception):
    """The engine has no instance of that ID."""


class InstanceExistsError(Exception):
    """The ID is taken; the engine would silently reset a finished run of it."""

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__(state["status"])
        self.state = state


class InstanceFinishedError(Exception):
    """The run is over; the engine would take the event and drop it in silence."""


class EventNotRerunnableError(Exception):
    """The history has no step of ours at that event, so it cannot run again from there."""


@dataclass(frozen=True)
class Rearmed:
    """The instances that dispatch again what they wait for, and those that cannot be loaded."""

    rearmed: list[str] = field(default_factory=list)
    #: By instance ID, what the engine says of it.
    unreadable: dict[str, str] = field(default_factory=dict)


class EngineGateway:
    """Start, look at and manage instances of this sidecar's app."""

    def __init__(self, client: DaprWorkflowClient, raw: TaskHubGrpcClient) -> None:
        self._client = client
        self._raw = raw

    def start(
        self, workflow: str, instance_id: str, payload: object, start_at: datetime | None
    ) -> None:
        """Start an instance unless there is one of that ID, running or finished."""
        existing = self.state(instance_id)
        if existing is not None:
            raise InstanceExistsError(existing)
        _ask(
            lambda: self._raw.schedule_new_orchestration(
                workflow, input=payload, instance_id=instance_id, start_at=start_at
            )
        )

    def state(self, instance_id: str) -> dict[str, Any] | None:
        """Return what the engine says of an instance, or ``None`` if it has none."""
        state = _ask(lambda: _read_state(self._client, instance_id))
        if state is None or state.runtime_status is WorkflowStatus.UNKNOWN:
            return None
        failure = state.failure_details
        return {
            "instance_id": instance_id,
            "workflow": state.name,
            "status": state.runtime_status.name,
            "created_at": rfc3339(state.created_at),
            # Before the first turn the engine has no time for this, and gives the year 1.
            "updated_at": rfc3339(max(state.created_at, state.last_updated_at)),
            "input": parsed(state.serialized_input),
            "output": parsed(state.serialized_output),
            "custom_status": parsed(state.serialized_custom_status),
            "failure": None
            if failure is None
            else {"type": failure.error_type, "message": failure.message},
        }

    def instance_ids(self, page_size: int, token: str | None) -> tuple[list[str], str | None]:
        """Return a page of the instance IDs that the state store holds, and the next token."""
        page = _ask(
            lambda: self._client.list_workflow_instance_ids(
                page_size=page_size, continuation_token=token
            )
        )
        return page.instance_ids, page.continuation_token

    def history(self, instance_id: str) -> list[dict[str, Any]]:
        """Return the whole history of the instance's current generation."""
        self._existing(instance_id)
        return self._events(instance_id)

    def recording(self, instance_id: str, worker_app_id: str) -> Recording:
        """Return the history as the engine keeps it, for a replay of it elsewhere."""
        self._existing(instance_id)
        events = _ask(lambda: self._raw.get_instance_history(instance_id))
        return Recording.of(instance_id, worker_app_id, events)

    def raise_event(self, instance_id: str, name: str, data: object) -> None:
        """Hand an event to a run that is not over."""
        if self._existing(instance_id)["status"] in TERMINAL:
            raise InstanceFinishedError
        _ask(lambda: self._client.raise_workflow_event(instance_id, name, data=data))

    def wake(self, instance_id: str) -> list[str]:
        """Start what was created and never began: the instance itself, or children it waits for.

        A start that is cut off between the engine's save and its end can lose the reminder that
        begins the run (hazard 11 of docs/hazards.md). An event brings a reminder of its own; an
        instance that had its reminder after all takes one more turn in which nothing happens.

        Returns the IDs that were woken; none if nothing needed it.
        """
        return self._wake(instance_id, self._existing(instance_id))

    def rearm(self, instance_id: str) -> Rearmed:
        """Have a run, and the children that it waits for, dispatch again what they wait for.

        What is not lost comes twice, and counts once; see `Executor`.
        """
        state = self._existing(instance_id)
        if state["status"] in TERMINAL:
            raise InstanceFinishedError
        done = Rearmed()
        self._rearm(instance_id, done)
        return done

    def terminate(self, instance_id: str) -> None:
        """End a run and its children where they stand; nothing is compensated."""
        if self._existing(instance_id)["status"] in TERMINAL:
            raise InstanceFinishedError
        _ask(lambda: self._client.terminate_workflow(instance_id, recursive=True))

    def purge(self, instance_id: str) -> None:
        """Delete what the engine keeps of a finished run and its children."""
        if self._existing(instance_id)["status"] not in TERMINAL:
            raise InstanceExistsError(self._existing(instance_id))
        _ask(lambda: self._client.purge_workflow(instance_id, recursive=True))

    def rerun(self, instance_id: str, event_id: int, new_instance_id: str) -> None:
        """Start an instance that shares a finished one's history up to a step, and does that step.

        The engine would do the step with its recorded input, and so under the finished run's
        effect key: the step gets the new run's key instead. Steps that were under way beside it
        keep theirs; the ledger hands back their results, or refuses them.
        """
        if self._existing(instance_id)["status"] not in TERMINAL:
            raise InstanceExistsError(self._existing(instance_id))
        existing = self.state(new_instance_id)
        if existing is not None:
            raise InstanceExistsError(existing)
        event = next(
            (event for event in self.history(instance_id) if event["event_id"] == event_id), None
        )
        payload = rekeyed(event, new_instance_id)
        _ask(
            lambda: self._client.rerun_workflow_from_event(
                instance_id, event_id, new_instance_id=new_instance_id, input=payload
            )
        )

    def _wake(self, instance_id: str, state: dict[str, Any]) -> list[str]:
        if state["status"] == "PENDING":
            _ask(lambda: self._client.raise_workflow_event(instance_id, WAKE_EVENT))
            return [instance_id]
        if state["status"] != "RUNNING":
            return []
        woken: list[str] = []
        for child in open_children(self._events(instance_id)):
            found = self.state(child)
            if found is not None and not _is_new(found):
                woken += self._wake(child, found)
        return woken

    def _rearm(self, instance_id: str, done: Rearmed) -> None:
        lost = set()
        for child in open_children(self._events(instance_id)):
            try:
                found = self.state(child)
                if found is None or found["status"] in TERMINAL:
                    lost.add(child)
                else:
                    self._rearm(child, done)
            except InstanceUnreadableError as error:
                done.unreadable[child] = str(error)
        data = Rearming(children=frozenset(lost)).model_dump(mode="json")
        _ask(lambda: self._client.raise_workflow_event(instance_id, REARM_EVENT, data=data))
        done.rearmed.append(instance_id)

    def _events(self, instance_id: str) -> list[dict[str, Any]]:
        return [
            describe(event) for event in _ask(lambda: self._raw.get_instance_history(instance_id))
        ]

    def _existing(self, instance_id: str) -> dict[str, Any]:
        state = self.state(instance_id)
        if state is None:
            raise NoSuchInstanceError
        return state


def open_children(history: list[dict[str, Any]]) -> list[str]:
    """Return the IDs of the children that a history waits for."""
    created = {
        event["event_id"]: event["instance_id"]
        for event in history
        if event["type"] == "CHILD_WORKFLOW_INSTANCE_CREATED"
    }
    ended = {
        event["task_scheduled_id"]
        for event in history
        if event["type"] in {"CHILD_WORKFLOW_INSTANCE_COMPLETED", "CHILD_WORKFLOW_INSTANCE_FAILED"}
    }
    return [instance for event, instance in created.items() if event not in ended]


def _is_new(state: dict[str, Any]) -> bool:
    created = datetime.fromisoformat(state["created_at"])
    return datetime.now(UTC) - created < _CHILD_BEGINS_WITHIN


def rekeyed(event: dict[str, Any] | None, instance_id: str) -> dict[str, Any]:
    """Return the input of a scheduled step as another run would have made it."""
    if event is None or event["type"] != "TASK_SCHEDULED":
        raise EventNotRerunnableError("it is no scheduled step of this run's history")
    command = event.get("input")
    if not isinstance(command, dict) or "key" not in command:
        raise EventNotRerunnableError(f"{event['name']} has no effect; choose a step that has one")
    key = replace(EffectKey.parse(command["key"]), instance=instance_id)
    return {**command, "key": str(key), "instance": instance_id, "consumed_events": []}


def _torn_read(error: BaseException) -> bool:
    # A read during a fan-out can fail once with UNKNOWN on 1.18: metadata and rows differ for
    # the moment of a save.
    return isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNKNOWN


@retry(
    retry=retry_if_exception(_torn_read),
    stop=stop_after_attempt(4),
    wait=wait_fixed(0.05),
    reraise=True,
)
def _read_state(client: DaprWorkflowClient, instance_id: str) -> WorkflowState | None:
    return client.get_workflow_state(instance_id)


def _ask(call: Callable[[], T]) -> T:
    try:
        return call()
    except grpc.RpcError as error:
        message = f"{error.code().name}: {error.details()}"
        if _UNREADABLE in message:
            raise InstanceUnreadableError(message) from error
        raise EngineUnavailableError(message) from error
