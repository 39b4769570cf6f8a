"""From the engine's call to the ledger's protocol, and every activity onto a runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dapr.ext.workflow import WorkflowActivityContext, WorkflowRuntime

from holdfast_activity_worker.ledger import Ledger
from holdfast_activity_worker.work import Implementation
from holdfast_contracts.core import EffectKey
from holdfast_contracts.errors import PermanentError
from holdfast_servicekit import logs
from holdfast_servicekit.runtime import sdk_logs

EngineActivity = Callable[[WorkflowActivityContext, Any], dict[str, Any]]


def as_engine_activity(ledger: Ledger, implementation: Implementation[Any, Any]) -> EngineActivity:
    """Return the function that the engine calls: JSON in, JSON out."""
    activity = implementation.activity

    def run(_context: WorkflowActivityContext, payload: Any) -> dict[str, Any]:
        # Not for as long as this lasts: the SDK logs a failure when it has ended.
        logs.bind()
        try:
            command = activity.input.model_validate(payload)
            EffectKey.parse(command.key)
        except ValueError as error:  # pydantic's ValidationError is one, too
            raise PermanentError(
                f"{activity.name} was given no {activity.input.__name__}: {error}"
            ) from error
        logs.bind(instance_id=command.instance, key=command.key)
        result: dict[str, Any] = ledger.run(implementation, command).model_dump(mode="json")
        return result

    run.__name__ = activity.name
    return run


def build_runtime(
    ledger: Ledger, implementations: Iterable[Implementation[Any, Any]], *, port: int, threads: int
) -> WorkflowRuntime:
    """Return a runtime that has every activity and takes as many work items as it has threads."""
    runtime = WorkflowRuntime(
        host="127.0.0.1",
        port=str(port),
        logger_options=sdk_logs(),
        maximum_concurrent_activity_work_items=threads,
        maximum_thread_pool_workers=threads,
    )
    for implementation in implementations:
        runtime.register_activity(
            as_engine_activity(ledger, implementation), name=implementation.activity.name
        )
    return runtime
