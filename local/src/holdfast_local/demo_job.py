"""A real job behind a real HTTP endpoint: it works for a while, and says how far it is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast_chaos.jobs import serving_json

_PATH = "/jobs/nightly-digest"
_PARTS = 100


class DigestJob:
    """Computes the SHA-256 of a file, unhurried, part by part."""

    def __init__(self, file: Path) -> None:
        self._content = file.read_bytes()
        self._done = 0
        self._digest = hashlib.sha256()
        self._ended = threading.Event()
        self._may_finish = threading.Event()
        self._pause_seconds = 0.0
        self._thread = threading.Thread(target=self._work, name="digest-job", daemon=True)

    def begin(self, seconds: float) -> None:
        """Start to work; the work takes about so long."""
        self._pause_seconds = seconds / _PARTS
        self._thread.start()

    def let_finish(self) -> None:
        """Let the last part be done: until then the job works on, however slow the machine is."""
        self._may_finish.set()

    def stop(self) -> None:
        """Give up what is left of the work."""
        self._ended.set()
        self._may_finish.set()

    def report(self) -> dict[str, str]:
        """Say how far the work is, as job endpoints do."""
        if self._done < _PARTS:
            return {"status": "running", "detail": f"{self._done} of {_PARTS} parts"}
        return {"status": "completed", "detail": f"sha256 {self._digest.hexdigest()}"}

    def _work(self) -> None:
        size = -(-len(self._content) // _PARTS)
        for part in range(_PARTS):
            if part == _PARTS - 1:
                self._may_finish.wait()
            if self._ended.wait(self._pause_seconds):
                return
            self._digest.update(self._content[part * size : (part + 1) * size])
            self._done = part + 1


@contextmanager
def serving(job: DigestJob) -> Iterator[str]:
    """Serve the job's report on a free loopback port until the block ends; give its URL."""
    with serving_json(lambda path: job.report() if path == _PATH else None) as port:
        try:
            yield f"http://127.0.0.1:{port}{_PATH}"
        finally:
            job.stop()
