"""Small helpers of the tests that need no engine behind the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import Engine, text

from tests.support.runs import start


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the body of an answer that must be that problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    return body


def hence(**duration: float) -> str:
    """Return a time to come, as the API takes it."""
    return (datetime.now(UTC) + timedelta(**duration)).isoformat()


def scheduled(api: httpx.Client, workflow: str, document: object, **parameters: str) -> str:
    """Start a run that waits until tomorrow."""
    return start(api, workflow, document, start_at=hence(days=1), **parameters)


def put(rows: Engine, runs: list[tuple[str, datetime]], state: str = "COMPLETED") -> None:
    """Make runs as the index has them, accepted at given times."""
    with rows.begin() as connection:
        for instance_id, accepted_at in runs:
            values = {"id": instance_id, "at": accepted_at, "state": state}
            connection.execute(
                text(
                    "INSERT INTO status.requests (instance_id, workflow, input, payload_hash,"
                    " accepted_at, dispatched_at) VALUES (:id, 'task_chain', '1', '', :at, :at)"
                ),
                values,
            )
            connection.execute(
                text(
                    "INSERT INTO status.runs (instance_id, workflow, state, accepted_at,"
                    " updated_at, finished_at) VALUES (:id, 'task_chain', :state, :at, :at, :at)"
                ),
                values,
            )
