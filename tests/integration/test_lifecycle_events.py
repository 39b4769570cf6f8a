"""What a receiver is told of a run that a real engine runs."""

from __future__ import annotations

import json
import uuid

import httpx

from tests.support.examples import ORDER
from tests.support.http_server import running_site
from tests.support.runs import start, wait_for_end
from tests.support.waiting import eventually

_TYPES = "dev.holdfast.run."


def test_an_order_tells_that_it_starts_waits_and_completes(api: httpx.Client) -> None:
    run = f"order-{uuid.uuid4().hex}"
    with running_site() as site:
        hook = api.post("/webhooks", json={"url": site.url}).json()["webhook_id"]

        def told() -> list[str]:
            events = [json.loads(request.body) for request in list(site.requests)]
            return [
                event["type"].removeprefix(_TYPES) for event in events if event["subject"] == run
            ]

        try:
            start(api, "request_escalation", ORDER, instance_id=run)
            eventually("it waits", lambda: told() == ["started", "waiting"], seconds=60)
            approval = api.post(f"/runs/{run}/events/human_approval", json={"approved": True})
            assert approval.status_code == 202, approval.text
            assert wait_for_end(api, run)["state"] == "COMPLETED"
            eventually("it told all", lambda: told() == ["started", "waiting", "completed"])
        finally:
            api.delete(f"/webhooks/{hook}")
