"""What the declared workload must have done: an independent prediction, pattern by pattern.

Races that the model cannot foresee (a cancellation between steps, an approval against a
time-out, the number of polls) are settled by the facts; everything else is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from holdfast_chaos.model import (
    batch_processing,
    book_trip,
    job_status_monitor,
    request_escalation,
    task_chain,
)
from holdfast_chaos.model.expectation import Expectation
from holdfast_contracts.batch_processing import BATCH_PROCESSING
from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.job_status_monitor import JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import REQUEST_ESCALATION
from holdfast_contracts.task_chain import TASK_CHAIN

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World

    Model = Callable[[DeclaredRun, World], Expectation]

MODELS: Mapping[str, Model] = {
    TASK_CHAIN.name: task_chain.expect,
    BATCH_PROCESSING.name: batch_processing.expect,
    JOB_STATUS_MONITOR.name: job_status_monitor.expect,
    REQUEST_ESCALATION.name: request_escalation.expect,
    BOOK_TRIP.name: book_trip.expect,
}


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return what a promised run must have left behind."""
    return MODELS[run.workflow](run, world)
