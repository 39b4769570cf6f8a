"""Shells on a cluster's nodes, kept open: a signal must follow its moment within milliseconds."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

_MARK = "holdfast-chaos-done"


class NodeError(Exception):
    """A command on a node failed; the text says which, and what it printed."""


class NodeShells:
    """One shell for each node, opened when it is first needed."""

    def __init__(self, shell_on: Callable[[str], Sequence[str]]) -> None:
        """Take what gives the command of a shell on a node, such as ``docker exec -i NODE sh``."""
        self._shell_on = shell_on
        self._shells: dict[str, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()

    def run(self, node: str, script: str, *, seconds: float = 30.0) -> str:
        """Return what a script prints on a node; raise ``NodeError`` if it fails or takes longer.

        The script runs in a subshell: it leaves nothing behind in the one that is kept.
        """
        with self._lock:
            shell = self._open(node)
            stdin, stdout = shell.stdin, shell.stdout
            if stdin is None or stdout is None:
                raise NodeError(f"{node}: its shell has no input or output")
            watchdog = threading.Timer(seconds, shell.kill)
            watchdog.start()
            try:
                with suppress(BrokenPipeError):
                    stdin.write(f"( {script}\n) 2>&1\necho {_MARK} $?\n")
                    stdin.flush()
                return self._answer(node, stdout, script)
            finally:
                watchdog.cancel()

    def close(self) -> None:
        """End all shells."""
        with self._lock:
            for shell in self._shells.values():
                shell.kill()
                with suppress(BrokenPipeError), shell:
                    pass  # which closes its pipes and waits for its end
            self._shells.clear()

    def _open(self, node: str) -> subprocess.Popen[str]:
        shell = self._shells.get(node)
        if shell is None or shell.poll() is not None:
            shell = subprocess.Popen(
                self._shell_on(node),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._shells[node] = shell
        return shell

    def _answer(self, node: str, stdout: Iterable[str], script: str) -> str:
        lines: list[str] = []
        for line in stdout:
            if line.startswith(_MARK):
                status = int(line.split()[1])
                if status:
                    raise NodeError(f"{node}: {script!r} ended with {status}: {''.join(lines)}")
                return "".join(lines)
            lines.append(line)
        raise NodeError(f"{node}: its shell ended in the middle of {script!r}: {''.join(lines)}")
