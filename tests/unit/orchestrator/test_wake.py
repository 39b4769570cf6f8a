from __future__ import annotations

from typing import Any

from holdfast_orchestrator.gateway import open_children


def test_a_run_waits_for_the_children_that_have_neither_completed_nor_failed() -> None:
    history = [
        event("EXECUTION_STARTED"),
        event("CHILD_WORKFLOW_INSTANCE_CREATED", event_id=1, instance_id="run:0:0"),
        event("CHILD_WORKFLOW_INSTANCE_CREATED", event_id=2, instance_id="run:0:1"),
        event("CHILD_WORKFLOW_INSTANCE_CREATED", event_id=3, instance_id="run:0:2"),
        event("TASK_SCHEDULED", event_id=4),
        event("CHILD_WORKFLOW_INSTANCE_COMPLETED", task_scheduled_id=1),
        event("CHILD_WORKFLOW_INSTANCE_FAILED", task_scheduled_id=3),
    ]
    assert open_children(history) == ["run:0:1"]


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": -1, "task_scheduled_id": None, **fields}
