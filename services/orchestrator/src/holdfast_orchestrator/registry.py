"""Bind the workflows to a runtime: parse the input, and close the run however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime
from pydantic import BaseModel

from holdfast_contracts.batch_processing import CHILD_WIDTH, BatchChunkInput
from holdfast_contracts.core import (
    CHECKPOINT,
    PARENT_COMMITTED,
    Checkpointed,
    ChildOf,
    Committed,
    RetryPolicy,
)
from holdfast_contracts.job_status_monitor import JobStatusMonitorTurn
from holdfast_orchestrator import executor
from holdfast_orchestrator.durable import Run, Steps, end
from holdfast_orchestrator.workflows import IMPLEMENTATIONS, Function, Implementation

#: Tells whether the saved history of a parent has the child in it.
ParentCommitted = Callable[[ChildOf], bool]


def register_all(
    runtime: WorkflowRuntime,
    worker_app_id: str,
    parent_committed: ParentCommitted,
    implementations: Iterable[Implementation] = IMPLEMENTATIONS,
) -> None:
    """Register every workflow of the contract, and the steps that are local to the orchestrator.

    Every workflow has a version from its first day on: a run that began without one would be
    taken for a run of the latest, whatever that is when it goes on.
    """
    executor.use()
    for implementation in implementations:
        runtime.register_versioned_workflow(
            durable(implementation.function, worker_app_id),
            name=implementation.workflow.name,
            version_name=implementation.version,
            is_latest=implementation.is_latest,
        )

    # The SDK marks a function that it registers and refuses it a second time; a runtime that
    # replaces another one needs functions of its own.
    def checkpoint(_ctx: WorkflowActivityContext, _input: Any) -> dict[str, Any]:
        """Do nothing; that the engine saved the turn before it is the point."""
        return Checkpointed().model_dump(mode="json")

    def ask_parent(_ctx: WorkflowActivityContext, question: Any) -> dict[str, Any]:
        """Look whether the turn that made the child is saved."""
        committed = parent_committed(ChildOf.model_validate(question))
        return Committed(committed=committed).model_dump(mode="json")

    runtime.register_activity(checkpoint, name=CHECKPOINT.name)
    runtime.register_activity(ask_parent, name=PARENT_COMMITTED.name)


def durable(
    implementation: Function, worker_app_id: str
) -> Callable[[DaprWorkflowContext, Any], Steps[Any]]:
    """Make the engine's function from ours: the run is closed in the ledger however it ends."""
    takes = input_of(implementation)

    def orchestrate(ctx: DaprWorkflowContext, raw: Any) -> Steps[Any]:
        model = takes.model_validate(raw)
        run = _run(ctx, model, worker_app_id)
        try:
            result = yield from implementation(run, model)
        except Exception:
            # Whatever went wrong, the run has ended and takes no new effect.
            yield from end(run)
            raise
        if run.continued:
            return None
        yield from end(run)
        return result.model_dump(mode="json")

    return orchestrate


def input_of(implementation: Function) -> type[BaseModel]:
    """Return what the function takes: an earlier version may read its input by an earlier model."""
    hints = get_type_hints(implementation)
    hints.pop("return")
    _run, takes = hints.values()
    if not (isinstance(takes, type) and issubclass(takes, BaseModel)):
        raise TypeError(f"{implementation.__name__} takes a run and a model, nothing else")
    return takes


def _run(ctx: DaprWorkflowContext, model: BaseModel, worker_app_id: str) -> Run:
    run = Run(ctx, worker_app_id, root=ctx.instance_id)
    run.retry = getattr(model, "retry", RetryPolicy())
    if isinstance(model, BatchChunkInput):
        run.root, run.parent, run.epoch = model.root, model.root, model.epoch
        run.close_number = 1 + model.start // CHILD_WIDTH
    if isinstance(model, JobStatusMonitorTurn):
        run.epoch, run.taken = model.epoch, list(model.taken_events)
    return run
