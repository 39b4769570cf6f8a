"""Drive a workflow through the SDK's own executor, turn by turn, as an engine would.

The engine's part is played here in memory: actions become history events, activities are answered
by a function, timers fire when nothing else is left to do. What comes back in one turn, and in
which order, is shuffled by a seed. Every turn is kept, so that a test can replay any prefix of
the history and compare the decisions.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
from dapr.ext.workflow import WorkflowRuntime

from holdfast_contracts.core import CHECKPOINT, PARENT_COMMITTED, Event
from holdfast_orchestrator.engine import registry_of
from holdfast_orchestrator.executor import Executor
from holdfast_orchestrator.registry import register_all
from holdfast_orchestrator.workflows import IMPLEMENTATIONS, Implementation

LOG = logging.getLogger("drive")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
WORKER_APP = "activity-worker"

#: What the steps that are local to the orchestrator answer.
LOCAL = {CHECKPOINT.name: {"early": False}, PARENT_COMMITTED.name: {"committed": True}}

Worker = Callable[[str, dict[str, Any]], Any]


def registry(implementations: Sequence[Implementation]) -> Any:
    runtime = WorkflowRuntime(host="127.0.0.1", port="1")
    register_all(runtime, WORKER_APP, lambda _question: True, implementations)
    return registry_of(runtime)


@dataclass
class Turn:
    old: list[Any]
    new: list[Any]
    actions: list[bytes]


@dataclass
class Arrival:
    """An event that arrives once the given number of activities has been scheduled."""

    event: Event
    data: dict[str, Any]
    event_id: str
    after: int = 0
    raw: Any = None

    def payload(self) -> Any:
        return self.raw or {"event_id": self.event_id, "data": self.data}


@dataclass
class Drive:
    workflow: str
    payload: Any
    worker: Worker
    seed: int = 0
    instance: str = "run-1"
    arrivals: Sequence[Arrival] = ()
    #: Deliver this many copies of every event, as the engine may.
    copies: int = 1
    turns: list[Turn] = field(default_factory=list)
    commands: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    apps: list[tuple[str, str]] = field(default_factory=list)
    timers: list[datetime] = field(default_factory=list)
    generations: int = 1
    implementations: Sequence[Implementation] = IMPLEMENTATIONS
    #: The drives of child workflows, in the order in which the children were made.
    children: list[Drive] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a test must be repeatable
        self._registry = registry(self.implementations)
        self._now = EPOCH
        self._waiting = list(self.arrivals)

    def run(self, limit: int = 100_000) -> Any:
        """Return how the run ended; fail the test if it has nothing left to wait for."""
        inbox = [make.new_execution_started_event(self.workflow, self.instance, self._encoded())]
        old: list[Any] = []
        timers: dict[int, datetime] = {}
        results: list[Any] = []
        for _ in range(limit):
            inbox += self._arrived()
            if not inbox:
                inbox = self._next(results, timers)
            new = [make.new_workflow_started_event(self._now), *inbox]
            actions = self._turn(old, new)
            self.turns.append(Turn(list(old), new, [a.SerializeToString() for a in actions]))
            old, inbox = old + new, []
            for action in sorted(actions, key=lambda one: one.id):
                kind = action.WhichOneof("workflowActionType")
                if kind == "completeWorkflow":
                    done = action.completeWorkflow
                    if done.workflowStatus != pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
                        return done
                    self.generations += 1
                    old, timers, results = [], {}, []
                    inbox = [
                        make.new_execution_started_event(
                            self.workflow, self.instance, done.result.value
                        ),
                        *done.carryoverEvents,
                    ]
                elif kind == "scheduleTask":
                    old.append(self._scheduled(action, results))
                elif kind == "createTimer":
                    due = action.createTimer.fireAt.ToDatetime()
                    timers[action.id] = due
                    self.timers.append(due)
                    old.append(_timer_created(action))
                elif kind == "createChildWorkflow":
                    old.append(self._child(action, results))
        message = f"{self.workflow} did not end within {limit} turns"
        raise AssertionError(message)

    def output(self) -> Any:
        done = self.run()
        assert done.workflowStatus == pb.ORCHESTRATION_STATUS_COMPLETED, done
        return json.loads(done.result.value)

    def failure(self) -> tuple[str, str]:
        done = self.run()
        assert done.workflowStatus == pb.ORCHESTRATION_STATUS_FAILED, done
        return done.failureDetails.errorType, done.failureDetails.errorMessage

    def replay_every_prefix(self) -> int:
        """Execute every turn again, its events as new and as old ones; count the comparisons."""
        compared = 0
        for turn in self.turns:
            for split in range(1, len(turn.new) + 1):
                old, new = turn.old + turn.new[: split - 1], turn.new[split - 1 :]
                actions = [a.SerializeToString() for a in self._execute(old, new)]
                assert actions == turn.actions, f"turn {compared} decided otherwise on replay"
                compared += 1
        return compared

    def steps(self) -> list[str]:
        return [name for name, _ in self.commands if name not in LOCAL]

    def _encoded(self) -> str:
        return json.dumps(self.payload)

    def _turn(self, old: list[Any], new: list[Any]) -> list[Any]:
        """Execute, and write down version and patches as the engine does."""
        result = Executor(self._registry, LOG).execute(self.instance, old, new)
        taken = [p for e in old for p in e.workflowStarted.version.patches]
        asked = result.patches or []
        assert asked[: len(taken)] == taken, "the engine would stall the run"
        patches = asked[len(taken) :]
        if not old:
            assert not patches, (
                f"{self.workflow} asks for a patch before its first step: the engine then forgets"
                " the run's version; make the change a version of its own (docs/versioning.md)"
            )
        new[0].workflowStarted.version.CopyFrom(
            pb.WorkflowVersion(name=result.version_name, patches=patches)
        )
        return list(result.actions)

    def _execute(self, old: list[Any], new: list[Any]) -> list[Any]:
        executor = Executor(self._registry, LOG)
        return list(executor.execute(self.instance, old, new).actions)

    def _arrived(self) -> list[Any]:
        due = [a for a in self._waiting if a.after <= len(self.commands) and self.turns]
        self._waiting = [a for a in self._waiting if a not in due]
        return [
            make.new_event_raised_event(arrival.event.name, json.dumps(arrival.payload()))
            for arrival in due
            for _ in range(self.copies)
        ]

    def _next(self, results: list[Any], timers: dict[int, datetime]) -> list[Any]:
        if results:
            self._random.shuffle(results)
            count = self._random.randint(1, len(results))
            batch = results[:count]
            del results[:count]
            return batch
        assert timers, f"{self.workflow} waits for nothing; steps so far: {self.steps()}"
        timer = min(timers, key=lambda one: timers[one])
        self._now = max(self._now, timers[timer]) + timedelta(milliseconds=1)
        fire_at = make.new_timestamp(timers.pop(timer))
        return [
            pb.HistoryEvent(
                eventId=-1, timerFired=pb.TimerFiredEvent(timerId=timer, fireAt=fire_at)
            )
        ]

    def _scheduled(self, action: Any, results: list[Any]) -> Any:
        task = action.scheduleTask
        command = json.loads(task.input.value)
        self.commands.append((task.name, command))
        self.apps.append((task.name, action.router.targetAppID))
        try:
            answer = LOCAL.get(task.name) or self.worker(task.name, command)
            results.append(make.new_task_completed_event(action.id, json.dumps(answer)))
        except Exception as error:  # noqa: BLE001 - whatever an activity raises reaches the workflow
            results.append(make.new_task_failed_event(action.id, error))
        event = make.new_task_scheduled_event(action.id, task.name, task.input.value)
        event.router.CopyFrom(action.router)
        return event

    def _child(self, action: Any, results: list[Any]) -> Any:
        child = action.createChildWorkflow
        drive = Drive(
            child.name,
            json.loads(child.input.value),
            self.worker,
            seed=self._random.randrange(1 << 30),
            instance=child.instanceId,
            implementations=self.implementations,
        )
        self.children.append(drive)
        done = drive.run()
        self.commands += drive.commands
        self.apps += drive.apps
        results.append(make.new_child_workflow_completed_event(action.id, done.result.value))
        return make.new_child_workflow_created_event(
            action.id, child.name, child.instanceId, child.input.value
        )


def _timer_created(action: Any) -> Any:
    created = pb.TimerCreatedEvent(fireAt=action.createTimer.fireAt)
    if action.createTimer.HasField("externalEvent"):
        created.externalEvent.CopyFrom(action.createTimer.externalEvent)
    return pb.HistoryEvent(eventId=action.id, timerCreated=created)
