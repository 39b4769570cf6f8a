"""A small resume certificate, where a test cares for what becomes of one."""

from __future__ import annotations

from typing import Any


def certificate(**members: Any) -> dict[str, Any]:
    """Return a certificate that passed, with some members changed."""
    return {
        "schema": "holdfast.resume-certificate",
        "version": 1,
        "verdict": "pass",
        "seed": 7,
        "target": "processes on one machine",
        "started_at": "2026-11-22T18:13:30.000000Z",
        "finished_at": "2026-11-22T18:14:41.000000Z",
        "about": {"Dapr": "1.18.2"},
        "faults": [{"id": "fault-1", "kind": "kill-app", "void": False}],
        "runs": [{"instance": "r1", "workflow": "task_chain", "state": "COMPLETED"}],
        "invariants": [
            {"id": "I1", "title": "One run", "applies": True, "holds": True, "facts": 3},
        ],
        **members,
    }


def deposit(page: str = "<!doctype html><h1>it held</h1>", **members: Any) -> dict[str, Any]:
    """Return what is handed in: a certificate with its page."""
    return {"certificate": certificate(**members), "page": page}
