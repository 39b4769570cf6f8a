"""Task chaining: three steps, each fed by the one before it.

For work that must happen in order, once each. It survives the death of every process between and
inside the steps: after a crash the chain goes on at the step it was in, and no earlier step runs
again, because each result is in the run's history before the next step is scheduled.
"""

from __future__ import annotations

from holdfast_contracts.task_chain import (
    ERROR_HANDLER,
    STEP1,
    STEP2,
    STEP3,
    AddOne,
    Double,
    HandleError,
    Square,
    TaskChainInput,
    TaskChainOutput,
)
from holdfast_orchestrator.durable import Run, Steps, call
from holdfast_orchestrator.engine import TaskFailedError


def task_chain(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    """Return the results of all three steps, or handle the error and fail."""
    try:
        first = yield from call(
            run, STEP1, AddOne(key=run.key(STEP1), instance=run.id, value=start.root)
        )
        second = yield from call(
            run, STEP2, Double(key=run.key(STEP2), instance=run.id, value=first.value)
        )
        third = yield from call(
            run,
            STEP3,
            Square(key=run.key(STEP3), instance=run.id, closes_run=True, value=second.value),
        )
    except TaskFailedError as failure:
        yield from call(
            run,
            ERROR_HANDLER,
            HandleError(
                key=run.key(ERROR_HANDLER),
                instance=run.id,
                closes_run=True,
                error=failure.details.message,
            ),
        )
        raise
    return TaskChainOutput((first.value, second.value, third.value))
