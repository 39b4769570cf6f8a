"""Everything that is registered, by name. Each name exists once."""

from __future__ import annotations

from itertools import chain
from typing import Any

from holdfast_contracts.batch_processing import BATCH_CHUNK, BATCH_PROCESSING
from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.core import (
    CHECKPOINT,
    CLOSE_RUN,
    PARENT_COMMITTED,
    Activity,
    App,
    Workflow,
)
from holdfast_contracts.job_status_monitor import JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import REQUEST_ESCALATION
from holdfast_contracts.task_chain import TASK_CHAIN

WORKFLOWS: dict[str, Workflow[Any, Any]] = {
    workflow.name: workflow
    for workflow in (
        TASK_CHAIN,
        BATCH_PROCESSING,
        BATCH_CHUNK,
        JOB_STATUS_MONITOR,
        REQUEST_ESCALATION,
        BOOK_TRIP,
    )
}

#: What the API offers.
PUBLIC_WORKFLOWS = {name: flow for name, flow in WORKFLOWS.items() if not flow.internal}

ACTIVITIES: dict[str, Activity[Any, Any]] = {
    activity.name: activity
    for activity in chain(
        *(workflow.activities for workflow in WORKFLOWS.values()),
        (CLOSE_RUN, CHECKPOINT, PARENT_COMMITTED),
    )
}


def activities_of(app: App) -> dict[str, Activity[Any, Any]]:
    """Return the activities that the given app implements, by name."""
    return {name: activity for name, activity in ACTIVITIES.items() if activity.app is app}
