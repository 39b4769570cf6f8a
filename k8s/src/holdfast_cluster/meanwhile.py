"""Let what waits for the network go on beside what keeps the processors busy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from holdfast_cluster.errors import ClusterError
from holdfast_local.toolchain_errors import ToolchainError


@contextmanager
def meanwhile(steps: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Take the steps one after the other while the block lasts; none begins after its end.

    One that fails is left out: whoever needs what it brings asks again, and says why it fails.
    """
    enough = threading.Event()

    def take() -> None:
        for step in steps:
            if enough.is_set():
                return
            with suppress(ClusterError, ToolchainError):
                step()

    thread = threading.Thread(target=take, name="meanwhile")
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
