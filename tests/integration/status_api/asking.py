"""Small helpers of the tests that talk to the API."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

TRIP = {"traveller": "Ada", "flight": "HF100", "hotel": "Grand", "car": "compact"}
ORDER = {"amount": 5000}
APPROVAL = {"approved": True, "by": "Grace"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the body of an answer that must be that problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    return body


def accepted(api: httpx.Client, workflow: str, document: object) -> str:
    """Start a run that must be accepted, and return its ID."""
    query = {"instance_id": f"{workflow}-{uuid.uuid4().hex}"}
    answer = api.post(f"/workflows/{workflow}", params=query, json=document)
    assert answer.status_code == 202, answer.text
    return query["instance_id"]
