"""How fast the machine is while something else is measured: what a fixed piece of work costs it.

A shared core's CPU seconds are not all alike: another machine on the same host, or a neighbour in
the cache, makes the same work take longer without any of it being accounted.
"""

from __future__ import annotations

import hashlib
import threading
import time
from statistics import median
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.2
_ROUNDS = 2000


class Pace:
    """Do a fixed piece of work now and then, a hundredth of a core, until the block ends."""

    def __init__(self) -> None:
        self._taken: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pace", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def milliseconds(self) -> float:
        """The CPU time that the work took, by the median."""
        return median(self._taken) * 1000

    def _keep(self) -> None:
        while True:
            self._taken.append(_work())
            if self._ended.wait(_EVERY_SECONDS):
                return


def _work() -> float:
    """Return the CPU time of a fixed piece of work, half of it the interpreter's."""
    began = time.thread_time()
    block, counted = b"holdfast" * 32, {}
    for number in range(_ROUNDS):
        counted[number % 97] = hashlib.sha256(block).digest()
    return time.thread_time() - began
