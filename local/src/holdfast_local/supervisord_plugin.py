"""Two things that supervisord lacks, added through its own extension point.

Loaded inside supervisord (``[rpcinterface:holdfast]``), so it imports nothing but supervisor.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from supervisor import events

#: supervisord's pause before the n-th restart in a row is n seconds, without an end. An outage of
#: some minutes would be followed by a minute of waiting; with a cap it never is.
LONGEST_PAUSE_SECONDS = 4


class Restarts:
    """Cap the pauses between restarts, and count the starts of each process.

    The counter of failed starts is capped too, below ``startretries``: no process is given up.
    """

    def __init__(self) -> None:
        self._starts: Counter[str] = Counter()
        events.subscribe(events.ProcessStateBackoffEvent, self._cap)
        events.subscribe(events.ProcessStateStartingEvent, self._count)

    def starts(self) -> dict[str, int]:
        """Give how often each process has been started since supervisord was."""
        return dict(self._starts)

    def _cap(self, event: Any) -> None:
        process = event.process
        process.backoff = min(process.backoff, LONGEST_PAUSE_SECONDS)
        process.delay = min(process.delay, time.time() + LONGEST_PAUSE_SECONDS)

    def _count(self, event: Any) -> None:
        self._starts[event.process.config.name] += 1


def make(_supervisord: Any) -> Restarts:
    """Make the RPC interface; supervisord calls this while it starts."""
    return Restarts()
