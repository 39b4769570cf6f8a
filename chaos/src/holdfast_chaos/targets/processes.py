"""The local stack as a target: every component is a supervised process group."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import httpx
import psutil
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from holdfast_chaos.targets import TargetNotReadyError

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

    def kill(self, components: Sequence[str]) -> None:
        """End components with all their processes, one right after the other."""
        for component in components:
            self._stack.signal_group(component, signal.SIGKILL)

    def freeze(self, components: Sequence[str]) -> None:
        """Stop components where they stand and see that every process of them is stopped."""
        self._signal(components, signal.SIGSTOP, stopped=True)

    def thaw(self, components: Sequence[str]) -> None:
        """Let components go on and see that no process of them is stopped any more."""
        self._signal(components, signal.SIGCONT, stopped=False)

    def wait_ready(self, components: Sequence[str], seconds: float) -> None:
        """Return when every component has a process and its probe answers."""
        deadline = time.monotonic() + seconds
        with httpx.Client(timeout=2.0) as client:
            for component in components:
                left = max(0.1, deadline - time.monotonic())
                last = _wait(lambda name=component: self._unready(name, client), left)
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

    def _signal(self, components: Sequence[str], number: signal.Signals, *, stopped: bool) -> None:
        for component in components:
            reached = self._stack.signal_group(component, number)
            last = _wait(lambda pids=reached: _not_yet(pids, stopped=stopped), _PATIENCE_SECONDS)
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


def _wait(unready: object, seconds: float) -> str | None:
    """Poll until nothing is wrong any more; return the last thing that was."""
    assert callable(unready)  # noqa: S101 - narrows the type
    waiting = Retrying(
        retry=retry_if_not_result(lambda problem: problem is None),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.05),
    )
    try:
        waiting(unready)
    except RetryError as error:
        return str(error.last_attempt.result())
    return None
