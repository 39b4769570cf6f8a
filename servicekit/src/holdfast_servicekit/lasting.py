"""A thread that lasts as long as its process serves."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod


class Rests:
    """How long to rest between two looks: shortly while there is work, longer the longer not."""

    _SLOWER = 1.5

    def __init__(self, shortest_seconds: float, longest_seconds: float) -> None:
        self._shortest = shortest_seconds
        self._longest = longest_seconds
        self._seconds = shortest_seconds

    def next(self, *, busy: bool) -> float:
        """Return the seconds of the next rest."""
        grown = min(self._seconds * self._SLOWER, self._longest)
        self._seconds = self._shortest if busy else grown
        return self._seconds


class Lasting(ABC):
    """One thread that works until it is stopped, and can tell that it ended before.

    The work is in `_run`, which ends soon after `_stop` is set; to pause it uses `_stop.wait` or,
    where something may come earlier, `_rest`.
    """

    def __init__(self, name: str, what: str, *, stop_seconds: float = 5.0) -> None:
        self._what = what
        self._stop_seconds = stop_seconds
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin. Call it after the fork."""
        self._thread.start()

    def wake(self) -> None:
        """End a rest now: there is something to do."""
        self._woken.set()

    def let_go(self) -> None:
        """Ask for the end, and do not wait for it. Safe in a signal handler."""
        self._stop.set()
        self._woken.set()

    def stop(self) -> None:
        """End after what is under way, and return within a bound."""
        self.let_go()
        if self._thread.is_alive():
            self._thread.join(timeout=self._stop_seconds)

    def dead(self) -> str | None:
        """Say that the thread has ended although nobody stopped it, or return ``None``."""
        if self._stop.is_set() or self._thread.is_alive():
            return None
        return f"{self._what} has ended"

    def _rest(self, seconds: float | None = None) -> None:
        """Wait until somebody wakes the thread, or for so long."""
        self._woken.wait(seconds)
        self._woken.clear()

    @abstractmethod
    def _run(self) -> None:
        """Work until `_stop` is set."""
