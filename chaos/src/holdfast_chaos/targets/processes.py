"""The local stack as a target: every component is a supervised process group."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import httpx
import psutil

from holdfast_chaos.targets import Armed, TargetNotReadyError
from holdfast_chaos.waiting import last_problem
from holdfast_chaos.world import Deed

_PATIENCE_SECONDS = 5.0


class Supervised(Protocol):
    """What a supervisor of processes must offer; ``holdfast_local.stack.Stack`` does."""

    def pid(self, name: str) -> int | None:
        """Return the process id of a component."""

    def signal_group(self, name: str, number: signal.Signals) -> list[int]:
        """Signal a component with all its processes at once; return whom it reached."""


class Processes:
    """Kill, freeze and watch the process groups of one machine's stack."""

    def __init__(
        self,
        stack: Supervised,
        probes: Mapping[str, str | None],
        sessions: Mapping[str, str],
    ) -> None:
        """Take the components with the URL that says when each serves, and their session names."""
        self._stack = stack
        self._probes = dict(probes)
        self._sessions = dict(sessions)

    @property
    def name(self) -> str:
        """What the certificate calls the target."""
        return "processes"

    def components(self) -> Sequence[str]:
        """Return the names of everything that can be struck."""
        return tuple(self._probes)

    def identity(self, component: str) -> str | None:
        """Return the process id, or none while the process is away."""
        pid = self._stack.pid(component)
        return None if not pid else str(pid)

    def sessions(self, component: str) -> str | None:
        """Return the prefix of the component's database session names; none: it has none."""
        return self._sessions.get(component)

    def deeds(self) -> frozenset[Deed]:
        """Return what can be done to them here."""
        return frozenset({Deed.KILL, Deed.FREEZE})

    def arm(
        self,
        deed: Deed,
        components: Sequence[str],
        *,
        one: bool = False,
        prefer: Sequence[str] = (),
    ) -> Armed:
        """Prepare a deed; of each component there is one, so ``one`` and all are the same."""
        del one, prefer
        make = _Freeze if deed is Deed.FREEZE else _Kill
        return make(self._stack, tuple(components))

    def wait_ready(self, components: Sequence[str], seconds: float) -> None:
        """Return when every component has a process and its probe answers."""
        deadline = time.monotonic() + seconds
        with httpx.Client(timeout=2.0) as client:
            for component in components:
                left = max(0.1, deadline - time.monotonic())
                last = last_problem(partial(self._unready, component, client), left)
                if last is not None:
                    raise TargetNotReadyError(f"{component} after {seconds:.0f} s: {last}")

    def _unready(self, component: str, client: httpx.Client) -> str | None:
        if self.identity(component) is None:
            return "no process"
        url = self._probes[component]
        if url is None:
            return None
        try:
            answer = client.get(url)
        except httpx.HTTPError as error:
            return f"{url}: {error!r}"
        return None if answer.is_success else f"{url}: {answer.status_code} {answer.text[:200]}"


@dataclass(frozen=True)
class _Kill:
    stack: Supervised
    components: tuple[str, ...]
    struck: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()

    def strike(self) -> None:
        """End components with all their processes, one right after the other."""
        for component in self.components:
            self.stack.signal_group(component, signal.SIGKILL)

    def heal(self) -> tuple[str, ...]:
        """Leave it to the supervisor, which starts them again."""
        return ()


@dataclass(frozen=True)
class _Freeze:
    stack: Supervised
    components: tuple[str, ...]
    struck: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()

    def strike(self) -> None:
        """Stop components where they stand and see that every process of them is stopped."""
        self._signal(signal.SIGSTOP, stopped=True)

    def heal(self) -> tuple[str, ...]:
        """Let components go on and see that no process of them is stopped any more."""
        self._signal(signal.SIGCONT, stopped=False)
        return self.components

    def _signal(self, number: signal.Signals, *, stopped: bool) -> None:
        for component in self.components:
            reached = self.stack.signal_group(component, number)
            last = last_problem(partial(_not_yet, reached, stopped=stopped), _PATIENCE_SECONDS)
            if not reached or last is not None:
                raise TargetNotReadyError(f"{component} after {number.name}: {last or 'not there'}")


def _not_yet(pids: Sequence[int], *, stopped: bool) -> str | None:
    """Say which process is not (or is still) stopped; one that has ended is neither."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            status = psutil.Process(pid).status()
            if (status == psutil.STATUS_STOPPED) != stopped:
                return f"process {pid} is {status}"
    return None
