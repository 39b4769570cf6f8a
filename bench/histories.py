"""Runs to look at: one that has ended, and some that wait with long histories."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from bench.processes import until
from holdfast_local.stack import Stack

_READY_SECONDS = 60
_NOTES_AT_ONCE = 50


class Api:
    """One keep-alive connection to the status API."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Return the answer's JSON object."""
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, path, payload, self._headers)
        value: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return value

    def start(self, workflow: str, value: object) -> str:
        """Start a run and return its ID."""
        return str(self.ask("POST", f"/workflows/{workflow}", value)["instance_id"])

    def state(self, run: str) -> str:
        """Return the state of a run."""
        return str(self.ask("GET", f"/status/{run}")["state"])


def ended_run(api: Api) -> str:
    """Return a chain that has ended."""
    run = api.start("task_chain", 1)
    until(lambda: api.state(run) == "COMPLETED", seconds=_READY_SECONDS, what="a chain ends")
    return run


def waiting_run(api: Api, stack: Stack, events: int) -> tuple[str, int]:
    """Return a run that waits, with about so many events of history, and how many it has.

    It is sent what it does not wait for, past the API, which would refuse that.
    """
    run = api.start("request_escalation", {"amount": 5000})
    until(lambda: api.state(run) == "RUNNING", seconds=_READY_SECONDS, what="a run waits")
    engine = HTTPConnection(urlsplit(stack.orchestrator_url).netloc, timeout=60)
    token = {"dapr-api-token": stack.identity.secrets.app_token, "Content-Type": "application/json"}
    seen = _events(api, run)
    while seen < events:
        for number in range(max(1, min(_NOTES_AT_ONCE, (events - seen) // 4))):
            note = json.dumps({"event_id": f"{run}-{seen}-{number}", "data": {}})
            engine.request("POST", f"/instances/{run}/events/note", note, token)
            engine.getresponse().read()
        seen = _events(api, run)
    return run, seen


def approve(run: str, approver: Api, api: Api) -> None:
    """End a run that waits; who asked for the order may not decide it."""
    approver.ask("POST", f"/runs/{run}/events/human_approval", {"approved": True, "by": "Grace"})
    until(lambda: api.state(run) == "COMPLETED", seconds=_READY_SECONDS, what="an order ends")


def _events(api: Api, run: str) -> int:
    return len(api.ask("GET", f"/runs/{run}/history").get("events", []))
