"""The helpers that workflow code is written with: `call`, `sleep` and `wait_for_event`.

They hold the rules that keep a run alive on an at-least-once engine, so that no workflow has to:

- A remote activity's retries are a loop of call, timer, local step, call. After every timer the
  next step is local to the orchestrator: a turn that takes a fired timer and then fails to
  dispatch to an app that is away can leave the instance unreadable for good.
- An event is taken once, by the id in its data; the engine may deliver it twice.
- Suspension is a gate between steps. The engine's own can schedule a pending action twice.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from dapr.ext.workflow import DaprWorkflowContext, when_all, when_any
from pydantic import BaseModel, TypeAdapter, ValidationError

from holdfast_contracts.core import (
    CHECKPOINT,
    CLOSE_RUN,
    PARENT_COMMITTED,
    RESUME,
    SUSPEND,
    SUSPENDED_STATUS,
    WAITING_STATUS,
    Activity,
    Checkpoint,
    Checkpointed,
    ChildOf,
    CloseRun,
    Command,
    Committed,
    EffectKey,
    Event,
    RaisedEvent,
    RetryPolicy,
    Workflow,
)
from holdfast_contracts.errors import is_permanent, is_run_closed, is_unavailable
from holdfast_orchestrator.engine import Task, TaskFailedError

C = TypeVar("C", bound=Command)
In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")
#: A piece of workflow code: yields the engine's tasks, returns a result.
Steps = Generator[Task[Any], Any, Out]

#: The gate waits in stretches of this length: an untimed wait would leave a timer for ever.
_GATE_STRETCH = timedelta(days=30)
_PARENT_INTERVAL_SECONDS = 0.5
#: With more than a hundred children that end together the sidecar can lock itself up for good:
#: hazard 12 of docs/hazards.md. A few keep a worker pool as busy.
CHILDREN_AT_ONCE = 8
#: The longer a dependency is away, the more seldom it is tried: the history grows with the
#: logarithm of the outage, and the recovery is late by a tenth of it at most.
_SHARE_OF_OUTAGE = 0.1


@dataclass
class Run:
    """The run that a workflow function works for. Rebuilt by every replay, so never stored."""

    ctx: DaprWorkflowContext
    worker_app_id: str
    #: The root run's instance ID: the first part of every effect key, for a child too.
    root: str
    epoch: int = 0
    #: The run that a child reports to.
    parent: str | None = None
    #: Tells a child's closing apart from its root's and its siblings', whose keys it shares.
    close_number: int = 0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: The run's last effect was committed, and closed it.
    closed: bool = False
    continued: bool = False
    taken: list[str] = field(default_factory=list)
    #: Events that were taken and that no effect has consumed yet, by the ledger's word.
    unrecorded: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The instance ID of this run or child."""
        return self.ctx.instance_id

    def key(self, activity: Activity[Any, Any], index: int = 0) -> str:
        """Make the effect key of a step; ``index`` tells repetitions in one epoch apart."""
        return str(EffectKey(self.root, self.epoch, activity.name, index))

    def patched(self, name: str) -> bool:
        """Tell whether the run is to take a change that its code got after it began.

        True for a run that comes here for the first time; false for one that was past this place
        before the change. Never for a place before the first step: give that change a version.
        """
        return bool(self.ctx.is_patched(name))

    def continue_as_new(self, turn: BaseModel) -> None:
        """Go on with a fresh history; events that nobody took yet are kept."""
        self.continued = True
        # No waiter is pending here, which is what makes save_events complete: the SDK loses an
        # event that a pending waiter takes in the same batch.
        self.ctx.continue_as_new(turn.model_dump(mode="json"), save_events=True)


def call(
    run: Run, activity: Activity[C, Out], command: C, *, until_done: bool = False
) -> Steps[Out]:
    """Run an activity of the worker and return its result, whatever dies in the meantime.

    Raises ``TaskFailedError`` when its retries are used up, or at once if the failure is
    permanent. With ``until_done`` it gives up only if the run is closed: for compensations.
    """
    (outcome,) = yield from call_all(run, activity, [command], until_done=until_done)
    if isinstance(outcome, TaskFailedError):
        raise outcome
    return outcome


def call_all(
    run: Run, activity: Activity[C, Out], commands: Sequence[C], *, until_done: bool = False
) -> Steps[list[Out | TaskFailedError]]:
    """Run one activity for many commands at once and wait for all of them.

    Returns a result or a failure for each command, in order. What fails is tried again, in
    rounds, by the run's retry policy.
    """
    output: TypeAdapter[Out] = TypeAdapter(activity.output)
    outcomes: dict[int, Out | TaskFailedError] = {}
    failures = dict.fromkeys(range(len(commands)), 0)
    rounds = 0
    began = run.ctx.current_utc_datetime
    waiting = list(range(len(commands)))
    while waiting:
        yield from gate(run)
        # The first effect after an event is the one that consumes it.
        consumed = tuple(run.unrecorded)
        first = waiting[0]
        tasks = [
            _schedule(run, activity, commands[index], consumed if index == first else ())
            for index in waiting
        ]
        try:
            yield when_all(tasks)
        except TaskFailedError:
            # It is the first failure of several; each task tells its own below.
            rounds += 1
        again = []
        for index, task in zip(waiting, tasks, strict=True):
            if not task.is_failed:
                outcomes[index] = output.validate_python(task.get_result())
                run.closed = run.closed or commands[index].closes_run
                if index == first:
                    run.unrecorded = [event for event in run.unrecorded if event not in consumed]
                continue
            failure = task.get_exception()
            if not isinstance(failure, TaskFailedError):
                raise failure
            outcomes[index] = failure
            error_type = failure.details.error_type
            failures[index] += not is_unavailable(error_type)
            spent = is_permanent(error_type) or failures[index] >= run.retry.attempts
            if not spent or (until_done and not is_run_closed(error_type)):
                again.append(index)
        if again:
            lasting = (run.ctx.current_utc_datetime - began).total_seconds()
            yield from sleep(run, max(run.retry.delay_seconds(rounds), lasting * _SHARE_OF_OUTAGE))
        waiting = again
    return [outcomes[index] for index in range(len(commands))]


def sleep(run: Run, seconds: float) -> Steps[None]:
    """Wait on a durable timer; the run costs no process while it waits."""
    yield run.ctx.create_timer(timedelta(seconds=seconds))
    yield from _checkpoint(run)


def wait_for_event(run: Run, event: Event, timeout_seconds: float) -> Steps[RaisedEvent | None]:
    """Return the next event of that name that this run has not taken yet, or ``None`` in time."""
    deadline = run.ctx.current_utc_datetime + timedelta(seconds=timeout_seconds)
    run.ctx.set_custom_status(f"{WAITING_STATUS}{event.name}")
    raised = yield from _wait_until(run, event, deadline)
    run.ctx.set_custom_status("")
    return raised


def poll_event(run: Run, event: Event) -> RaisedEvent | None:
    """Return an event that has arrived and was not taken yet; never wait."""
    while True:
        task = run.ctx.wait_for_external_event(event.name, timeout=timedelta(0))
        if task.is_failed:  # a zero time-out fails at once when nothing is there
            return None
        raised = _take(run, task.get_result())
        if raised is not None:
            return raised


def call_children(run: Run, workflow: Workflow[In, Out], inputs: Iterable[In]) -> Steps[list[Out]]:
    """Run a child workflow for every input and return their results, in order.

    At most `CHILDREN_AT_ONCE` run at a time, and a suspended run starts no more of them. A child's
    instance ID is made from its parent's, the epoch and its number: the engine's own numbering
    starts again at continue-as-new.
    """
    output: TypeAdapter[Out] = TypeAdapter(workflow.output)
    children: list[Task[Any]] = []
    for number, value in enumerate(inputs):
        running = [child for child in children if not child.is_complete]
        if len(running) >= CHILDREN_AT_ONCE:
            yield when_any(running)
        yield from gate(run)
        child: Task[Any] = run.ctx.call_child_workflow(
            workflow.name,
            input=value.model_dump(mode="json"),
            instance_id=f"{run.id}:{run.epoch}:{number}",
        )
        children.append(child)
    results = yield when_all(children)
    return [output.validate_python(result) for result in results]


def end(run: Run) -> Steps[None]:
    """Close the run in the ledger: from now on its keys only hand back stored results.

    The last thing a run does, however it ends. A child first waits for its parent.
    """
    if run.parent is not None:
        yield from _wait_for_parent(run, run.parent)
    if not run.closed:
        yield from _close(run)


def _close(run: Run) -> Steps[None]:
    key = run.key(CLOSE_RUN, run.close_number)
    command = CloseRun(key=key, instance=run.id, closes_run=True)
    try:
        yield from call(run, CLOSE_RUN, command, until_done=True)
    except TaskFailedError:
        # Closed before: the engine reset a run that had ended, and it ends again.
        run.closed = True


def _wait_for_parent(run: Run, parent: str) -> Steps[None]:
    """Hold a child that has done its work until the turn that made it is saved.

    A child that ends while its parent makes it again would deadlock with it: `PARENT_COMMITTED`.
    """
    question = ChildOf(parent=parent, child=run.id).model_dump(mode="json")
    while True:
        answer = yield run.ctx.call_activity(PARENT_COMMITTED.name, input=question)
        if Committed.model_validate(answer).committed:
            return
        yield from sleep(run, _PARENT_INTERVAL_SECONDS)


def gate(run: Run) -> Steps[None]:
    """Hold here while the run is suspended.

    A workflow that polls for a cancellation does so after the gate: whoever cancels a suspended
    run resumes it, and the cancellation has arrived by then.
    """
    while poll_event(run, SUSPEND) is not None:
        run.ctx.set_custom_status(SUSPENDED_STATUS)
        resumed = None
        while resumed is None:
            stretch = run.ctx.current_utc_datetime + _GATE_STRETCH
            resumed = yield from _wait_until(run, RESUME, stretch)
        run.ctx.set_custom_status("")


def _schedule(
    run: Run, activity: Activity[Any, Any], command: Command, consumed: tuple[str, ...]
) -> Task[Any]:
    payload = command.model_dump(mode="json") | {"consumed_events": list(consumed)}
    return run.ctx.call_activity(activity.name, input=payload, app_id=run.worker_app_id)


def _checkpoint(run: Run) -> Steps[None]:
    """Commit the turn that took a timer before anything remote is dispatched."""
    early = True
    while early:
        answer = yield run.ctx.call_activity(
            CHECKPOINT.name, input=Checkpoint().model_dump(mode="json")
        )
        # Ahead of its question, it is the answer of a turn that was lost: this one is not saved.
        early = Checkpointed.model_validate(answer).early


def _wait_until(run: Run, event: Event, deadline: datetime) -> Steps[RaisedEvent | None]:
    raised = None
    while raised is None:
        try:
            data = yield run.ctx.wait_for_external_event(event.name, timeout=deadline)
        except TimeoutError:
            break
        raised = _take(run, data)
    # The timer may have fired in the turn that brought the event, too.
    yield from _checkpoint(run)
    return raised


def _take(run: Run, data: object) -> RaisedEvent | None:
    """Return the event unless it is a duplicate, or is not one of ours."""
    try:
        raised = RaisedEvent.model_validate(data)
    except ValidationError:
        return None
    if raised.event_id in run.taken:
        return None
    run.taken.append(raised.event_id)
    run.unrecorded.append(raised.event_id)
    return raised
