"""Watch every run from outside, all the time, as a user with a browser would."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast_chaos.client import Client
from holdfast_chaos.invariants.i7_observers import ENDS
from holdfast_chaos.observations import HTTP_OK, Poll


class Observer:
    """Read the status of every run again and again until it has ended, in a thread of its own."""

    def __init__(
        self,
        client: Client,
        *,
        pause_seconds: float = 0.1,
        on_change: Callable[[Poll], None] = lambda _poll: None,
    ) -> None:
        self._client = client
        self._pause_seconds = pause_seconds
        self._on_change = on_change
        self._states: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, then read every run once more."""
        self._stopped.set()
        self._thread.join()
        for instance in self.states():
            self._look(instance)

    def add(self, instance: str) -> None:
        """Watch a run that was accepted."""
        with self._lock:
            self._states.setdefault(instance, None)

    def states(self) -> dict[str, str | None]:
        """Return the last state of every run."""
        with self._lock:
            return dict(self._states)

    def in_flight(self) -> tuple[str, ...]:
        """Return the runs that have not been seen to end."""
        return tuple(name for name, state in self.states().items() if state not in ENDS)

    def _watch(self) -> None:
        while not self._stopped.wait(self._pause_seconds):
            for instance in self.in_flight():
                if self._stopped.is_set():
                    return
                self._look(instance)

    def _look(self, instance: str) -> None:
        poll = self._client.poll(instance)
        if poll.http != HTTP_OK:
            return
        with self._lock:
            changed = self._states[instance] != poll.state
            self._states[instance] = poll.state
        if changed:
            self._on_change(poll)
