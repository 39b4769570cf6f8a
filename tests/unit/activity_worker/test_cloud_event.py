from __future__ import annotations

import json
from datetime import UTC, datetime

from cloudevents.core.bindings.http import to_structured_event

from holdfast_activity_worker.outbox import Notification, cloud_event


def test_a_notification_is_a_cloud_event_whose_id_is_the_effect_key() -> None:
    notification = Notification(
        id="nightly|0|notify_complete|0",
        instance="nightly",
        kind="holdfast.job.completed",
        payload={"job_id": "kubernetes:batch/nightly", "polls": 3},
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    message = to_structured_event(cloud_event(notification, "activity-worker"))
    assert message.headers["content-type"].startswith("application/cloudevents+json")
    assert json.loads(message.body) == {
        "specversion": "1.0",
        "id": "nightly|0|notify_complete|0",
        "source": "/activity-worker",
        "type": "holdfast.job.completed",
        "subject": "nightly",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "data": {"job_id": "kubernetes:batch/nightly", "polls": 3},
    }
