"""Ways into a cluster that are opened again whenever what they lead to is killed."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from holdfast_chaos.waiting import eventually

_OPEN_SECONDS = 30.0
_AGAIN_SECONDS = 0.3
_PROBE_SECONDS = 2.0


class TunnelError(Exception):
    """A tunnel did not open; the text says which, and what was said last."""


class _Tunnel:
    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._closed = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self.said = ""
        self._thread = threading.Thread(target=self._keep, name="tunnel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closed.is_set():
            with subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as process:
                self._process = process
                if self._closed.is_set():
                    process.kill()
                for line in process.stdout or ():
                    self.said = line.strip()
                    # kubectl goes on after a connection to a dead pod; the next one would fail.
                    if "lost connection" in line or "error forwarding" in line:
                        process.kill()
            self._closed.wait(_AGAIN_SECONDS)


@contextmanager
def tunnel(command: Callable[[int], Sequence[str]]) -> Iterator[int]:
    """Keep a port of this machine forwarded until the block ends; give its number.

    ``command`` gives what forwards a port, such as ``kubectl port-forward svc/x PORT:5432``. Raises
    ``TunnelError`` if it does not open.
    """
    port = _free_port()
    made = _Tunnel(command(port))
    try:
        if not eventually(lambda: _listens(port), _OPEN_SECONDS):
            raise TunnelError(f"{' '.join(command(port))}: {made.said or 'it said nothing'}")
        yield port
    finally:
        made.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS):
        return True
    return False
