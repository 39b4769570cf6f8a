"""Wait for a run to end, however often the server goes away meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from holdfast_cli.client import Client, part
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.output import note
from holdfast_cli.states import has_ended

#: A run outlives its API; so does a wait for it, unless it is away for longer than this.
OUTAGE_SECONDS = 300.0
#: The API holds an answer for at most 30 s.
_HELD_SECONDS = 20.0
_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


class StatusPoll:
    """Ask for a run's status again and again, as seldom as the server allows."""

    def __init__(self, client: Client, instance_id: str) -> None:
        self._client = client
        self._path = f"/status/{part(instance_id)}"
        self._etag: str | None = None
        self._held = False
        self._pause_seconds = 0.0
        self.last: dict[str, Any] = {}

    def ask(self, held_seconds: float, patience_seconds: float | None = None) -> dict[str, Any]:
        """Return the status, at the latest when the server has held the answer that long."""
        headers = {"Prefer": f"wait={int(held_seconds)}"} if held_seconds >= 1 else {}
        if self._etag is not None:
            headers["If-None-Match"] = self._etag
        answer = self._client.get(self._path, headers=headers, patience_seconds=patience_seconds)
        if answer.document is not None:
            self.last = answer.document
        self._etag = answer.headers.get("etag", self._etag)
        self._held = "preference-applied" in answer.headers
        wanted = answer.retry_after if answer.retry_after is not None else 1.0
        self._pause_seconds = min(max(wanted, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        return self.last

    def pause(self, longest_seconds: float) -> None:
        """Let the time pass that the server wants between questions, unless it held the answer."""
        if not self._held:
            time.sleep(max(0.0, min(self._pause_seconds, longest_seconds)))


def wait_for_end(client: Client, instance_id: str, timeout_seconds: float | None) -> dict[str, Any]:
    """Return the status of a run that has ended; exit with 124 if it has not in that time."""
    poll = StatusPoll(client, instance_id)
    left = countdown(timeout_seconds)
    with interruptible(instance_id):
        while True:
            held = min(_HELD_SECONDS, left())
            status = poll.ask(held, patience_seconds=min(OUTAGE_SECONDS, left()))
            if has_ended(status):
                return status
            if left() <= 0:
                raise CliError(
                    ExitCode.TIMED_OUT,
                    f"The run is still {status.get('state')}",
                    f"It goes on; see it with `holdfast wf watch {instance_id}`.",
                )
            poll.pause(left())


def countdown(seconds: float | None) -> Callable[[], float]:
    """Return a function that says how many seconds are left, without end for ``None``."""
    end = float("inf") if seconds is None else time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())


@contextmanager
def interruptible(instance_id: str) -> Iterator[None]:
    """Tell whoever stops waiting that the run does not stop with them."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"the run goes on; see it with `holdfast wf watch {instance_id}`")
        raise
