"""The processes of one stack, found and ended with certainty.

A process belongs to a stack when its environment says so. That holds for the grandchildren too,
and for orphans of a supervisord that was killed. A pid alone says nothing: it may have been given
to another process meanwhile; ``psutil.Process`` compares the start times before it signals.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from holdfast_local.errors import StackError

MARKER = "HOLDFAST_STACK"
_GRACE_SECONDS = 5
_SWEEPS = 5


@dataclass(frozen=True)
class Memory:
    """Memory of a process and all its children, in bytes."""

    #: Resident; pages that processes share are counted in each of them.
    rss: int = 0
    #: Freed if these processes ended.
    uss: int = 0
    #: Resident, each shared page divided among those that share it: adds up to the true total.
    pss: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.uss + other.uss, self.pss + other.pss)


def of_stack(marker: str) -> list[psutil.Process]:
    """Give every live process of the stack, without the caller and its ancestors."""
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _marker(process) == marker
    ]


def markers() -> set[str]:
    """Give the markers of all stacks that have processes now."""
    return {marker for process in psutil.process_iter() if (marker := _marker(process))}


def family(pid: int) -> list[psutil.Process]:
    """Give the process and all its descendants; nothing if it has ended."""
    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(members: Iterable[psutil.Process]) -> Memory:
    """Add up the memory of the processes that are still there."""
    total = Memory()
    for process in members:
        with suppress(psutil.Error):
            info = process.memory_full_info()
            total += Memory(info.rss, info.uss, info.pss)
    return total


def signal_family(pid: int, number: signal.Signals) -> list[int]:
    """Signal the process with its whole group and all its descendants; give their pids.

    The group gets the signal in one system call: no member sees another one die and acts on it.
    """
    members = family(pid)
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        if members and members[0].is_running() and os.getpgid(pid) == pid:
            os.killpg(pid, number)
    for process in members:  # PostgreSQL's children lead groups of their own
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    return [process.pid for process in members]


def end_all(
    marker: str, *, grace_seconds: float = _GRACE_SECONDS, at_once: bool = False
) -> list[int]:
    """End every process of the stack and return when none is left; give their pids.

    ``at_once`` lets none of them finish anything: for a stack whose data goes, too. Raises
    ``StackError`` if one cannot be ended.
    """
    ended: set[int] = set()
    for _ in range(_SWEEPS):
        found = of_stack(marker)
        if not found:
            return sorted(ended)
        ended.update(process.pid for process in found)
        for process in found:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
                process.send_signal(_end_of(process, at_once=at_once))
        _, alive = psutil.wait_procs(found, timeout=grace_seconds)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    left = ", ".join(f"{process.pid} ({process.name()})" for process in of_stack(marker))
    if left:
        raise StackError(f"these processes do not end: {left}")
    return sorted(ended)


def _end_of(process: psutil.Process, *, at_once: bool) -> signal.Signals:
    if process.name() == "postgres":
        # SIGTERM would have it wait until the last client has gone; a kill would leave a segment
        # of shared memory behind.
        return signal.SIGQUIT if at_once else signal.SIGINT
    return signal.SIGKILL if at_once else signal.SIGTERM


def _marker(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(MARKER)
    except (psutil.Error, OSError, ValueError):
        return None
