"""Drive a run's history through the code of this tree and say what does not fit."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dapr.ext.workflow import WorkflowRuntime
from pydantic import ValidationError

from holdfast_contracts.catalogue import ACTIVITIES
from holdfast_orchestrator.engine import (
    HistoryEvent,
    TaskFailedError,
    messages,
    protos,
    registry_of,
    timer,
)
from holdfast_orchestrator.executor import Executor
from holdfast_orchestrator.registry import register_all
from holdfast_orchestrator.replay import steps
from holdfast_orchestrator.replay.findings import Finding, Kind, Verdict
from holdfast_orchestrator.replay.recording import History, Recording
from holdfast_orchestrator.replay.steps import Step
from holdfast_orchestrator.workflows import IMPLEMENTATIONS, Implementation
from holdfast_servicekit.runtime import sdk_logs

#: What the SDK says of a run that fails is said by the finding.
_QUIET = logging.getLogger("holdfast.replay")
_QUIET.setLevel(logging.CRITICAL)


class _BrokenError(Exception):
    """The code and the history have parted: what comes later means nothing."""


class _Comparing(Executor):
    """The SDK's executor, with every step of the history compared before the SDK takes it."""

    def __init__(self, registry: Any) -> None:
        super().__init__(registry, _QUIET)
        self.findings: list[Finding] = []

    def process_event(self, ctx: Any, event: HistoryEvent) -> None:
        """Compare, then let the SDK do what an engine's worker does."""
        recorded = None if self._is_suspended else steps.of_event(event)
        if recorded is not None:
            self._compare(ctx, event, recorded)
        super().process_event(ctx, event)

    def _compare(self, ctx: Any, event: HistoryEvent, recorded: Step) -> None:
        action = ctx._pending_actions.get(event.eventId)  # noqa: SLF001 - that is what is compared
        if timer.is_optional_timer_event(event) or (
            action is not None and timer.is_optional_timer_action(action)
        ):
            return  # The SDK has rules of its own for waits that have no end.
        if action is None:
            self._break(Kind.MISSING, recorded, f"the history has {recorded}, the code nothing")
        now = steps.of_action(action)
        both = f"the history has {recorded}, the code {now}"
        if now.kind == steps.END:
            self._break(Kind.MISSING, recorded, both)
        if recorded.kind != now.kind and not {recorded.kind, now.kind} <= _WAITS:
            self._break(Kind.KIND, recorded, both)
        if recorded.kind in {steps.ACTIVITY, steps.CHILD} and recorded.name != now.name:
            self._break(Kind.NAME, recorded, both)
        if (recorded.kind, recorded.name) != (now.kind, now.name):
            self._note(Kind.EVENT, recorded, both)
        if recorded.app != now.app:
            apps = f"went to {_app(recorded)} and goes to {_app(now)}"
            self._note(Kind.APP, recorded, f"{recorded} {apps}")
        if recorded.child_id != now.child_id:
            ids = f"was {recorded.child_id} and is {now.child_id}"
            self._note(Kind.CHILD, recorded, f"{recorded}: its id {ids}")
        changed = steps.difference(recorded.input, now.input)
        if changed:
            self._note(Kind.INPUT, recorded, f"{recorded}: its input is another: {changed}")

    def _note(self, kind: Kind, at: Step, text: str) -> None:
        self.findings.append(Finding(kind, at.number, text))

    def _break(self, kind: Kind, at: Step, text: str) -> None:
        self._note(kind, at, text)
        raise _BrokenError


@dataclass
class Checker:
    """Checks recordings against workflow functions; by default, against those of this tree."""

    implementations: Iterable[Implementation] = IMPLEMENTATIONS
    #: Takes the place of the installation's own word on where activities go.
    worker_app_id: str | None = None

    def __post_init__(self) -> None:
        self._registries: dict[str, Any] = {}
        self._raised: list[Exception] = []

    def check(self, recording: Recording) -> Verdict | None:
        """Say what becomes of the instance, or ``None`` if it is not in flight.

        Raises ``ValueError`` if the recording cannot be read.
        """
        history = recording.history()
        if not history.in_flight:
            return None
        app_id = self.worker_app_id or recording.worker_app_id
        return Verdict(
            recording.instance_id,
            history.workflow,
            history.version,
            len(history.events),
            [*self._replay(recording.instance_id, history, app_id), *_open_calls(history)],
            history.stalled_because,
        )

    def _replay(self, instance_id: str, history: History, app_id: str) -> list[Finding]:
        self._raised.clear()
        executor = _Comparing(self._registry(app_id))
        turn = [messages.new_workflow_started_event(datetime.now(UTC).replace(tzinfo=None))]
        if history.suspended:
            # The SDK looks at what came in the meantime when the run is resumed.
            turn.append(messages.new_resume_event())
        result = executor.execute(instance_id, history.events, turn)
        found: list[Finding] = list(executor.findings)
        if not any(finding.kind in _FATAL for finding in found):
            found += self._afterwards(history, result)
        astray = any(finding.kind in _ASTRAY for finding in found)
        cause = self._raised[-1] if self._raised else None
        # What an activity raises is part of the story; what the code makes of results is not.
        if astray and cause is not None and not isinstance(cause, TaskFailedError):
            text = f"the code raises {type(cause).__name__}: {_one_line(cause)}"
            found.insert(0, Finding(Kind.RAISES, found[0].step, text))
        patches = result.patches or []
        if history.patches != patches[: len(history.patches)]:
            # The engine looks at the patches before anything else, and takes no other decision.
            then, now = ", ".join(history.patches), ", ".join(patches) or "none"
            text = f"the run took the patches {then}; the code asks for {now}"
            return [Finding(Kind.PATCH, None, text), *found]
        return found

    def _afterwards(self, history: History, result: Any) -> list[Finding]:
        """Compare where the code is with where the run is."""
        found: list[Finding] = []
        extra: list[Step] = []
        for action in result.actions:
            if action.HasField("workflowVersionNotAvailable"):
                text = f"it began in version {history.version} of {history.workflow}"
                found.append(Finding(Kind.VERSION, None, f"{text}, which is not registered"))
            elif action.HasField("completeWorkflow"):
                found.append(_ending(action.completeWorkflow, history))
            else:
                extra.append(steps.of_action(action))
        if history.undispatched:
            # The engine saves a first turn that it could not dispatch, and repeats all of it with
            # the code that is there then: what is not recorded has not happened.
            began = bool(history.steps())
            extra = [step for step in extra if began and not step.app]
            found = [finding for finding in found if began or finding.kind is not Kind.ENDS]
        for step, number in Counter(map(str, extra)).items():
            first = next(each for each in extra if str(each) == step)
            what = step if number == 1 else f"{number} times {step}"
            text = f"the code would go on with {what}, where the run waits"
            found.append(Finding(Kind.EXTRA, first.number, text))
        return found

    def _registry(self, app_id: str) -> Any:
        if app_id not in self._registries:
            runtime = WorkflowRuntime(host="127.0.0.1", port="1", logger_options=sdk_logs())
            heard = [
                each._replace(function=_listening(each.function, self._raised))
                for each in self.implementations
            ]
            register_all(runtime, app_id, lambda _question: True, heard)
            self._registries[app_id] = registry_of(runtime)
        return self._registries[app_id]


#: The engine knows both as timers.
_WAITS = {steps.TIMER, steps.WAIT}
_FATAL = {Kind.MISSING, Kind.KIND, Kind.NAME}
#: The code is somewhere else than the run.
_ASTRAY = {*_FATAL, Kind.EXTRA, Kind.ENDS}


def _listening(function: Callable[..., Any], raised: list[Exception]) -> Callable[..., Any]:
    """Wrap workflow code so that what it raises is known: the run would hide it in its end."""

    def listening(run: Any, model: Any) -> Any:
        try:
            return (yield from function(run, model))
        except Exception as error:
            raised.append(error)
            raise

    listening.__annotations__ = function.__annotations__
    listening.__wrapped__ = function  # type: ignore[attr-defined]  # for get_type_hints
    return listening


def _ending(done: Any, history: History) -> Finding:
    if done.workflowStatus != protos.ORCHESTRATION_STATUS_FAILED:
        return Finding(Kind.ENDS, None, "the code ends the run where it waits")
    failure = done.failureDetails
    if failure.errorType.endswith("OrchestratorNotRegisteredError"):
        return Finding(Kind.UNREGISTERED, None, f"there is no workflow {history.workflow} any more")
    text = f"the code raises {failure.errorType}: {_one_line(failure.errorMessage)}"
    return Finding(Kind.RAISES, None, text)


def _open_calls(history: History) -> list[Finding]:
    """Find activities under way that the new worker would not know, or would not take."""
    found: dict[tuple[str, str], Finding] = {}
    for event in history.open_activities():
        step = steps.of_event(event)
        if step is None:
            continue
        activity = ACTIVITIES.get(step.name)
        if activity is None:
            text = f"the run waits for {step}, which the contract does not have"
            found.setdefault((step.name, ""), Finding(Kind.GONE, step.number, text))
            continue
        try:
            activity.input.model_validate(step.input)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            place = ".".join(map(str, fault["loc"]))
            text = f"{step} would refuse what was sent to it: {place}: {fault['msg']}"
            found.setdefault((step.name, place), Finding(Kind.REFUSED, step.number, text))
    return list(found.values())


def _app(step: Step) -> str:
    return step.app or "the orchestrator itself"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
