"""Start runs through the public API and wait for them, with a bound."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.waiting import eventually

TERMINAL = frozenset({"COMPLETED", "FAILED", "TERMINATED", "CANCELLED"})
END_SECONDS = 120


def start(api: httpx.Client, workflow: str, payload: Any, **parameters: str) -> str:
    """Start a run and return its instance ID; fail unless the API accepts it."""
    answer = api.post(f"/workflows/{workflow}", json=payload, params=parameters)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["instance_id"])


def state_of(api: httpx.Client, run: str) -> dict[str, Any]:
    """Return what the API says of a run; fail if it does not know it."""
    answer = api.get(f"/status/{run}")
    assert answer.status_code == 200, answer.text
    status: dict[str, Any] = answer.json()
    return status


def wait_for_state(api: httpx.Client, run: str, state: str, seconds: float = 60) -> dict[str, Any]:
    """Return the run's status once it is in that state."""
    return _wait(api, run, frozenset({state}), seconds)


def wait_for_end(api: httpx.Client, run: str, seconds: float = END_SECONDS) -> dict[str, Any]:
    """Return the run's status once it is terminal."""
    return _wait(api, run, TERMINAL, seconds)


def _wait(api: httpx.Client, run: str, states: frozenset[str], seconds: float) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def reached() -> bool:
        last.update(state_of(api, run))
        return last["state"] in states

    try:
        eventually(f"{run} is {' or '.join(sorted(states))}", reached, seconds=seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; status: {last}") from None
    return last
