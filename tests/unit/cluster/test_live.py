"""The parent that `skaffold dev` gives the services: changed code runs, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.clone import ROOT
from tests.support.waiting import eventually

SERVICE = """
import signal, sys, time
from pathlib import Path
note = Path(sys.argv[1])
def end(*_):
    with note.open("a") as file: file.write("ended\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with note.open("a") as file: file.write("one\\n")
while True: time.sleep(0.05)
"""


class Live:
    """The parent, with a service that notes its starts and its ends."""

    def __init__(self, folder: Path) -> None:
        self.code, self.live, self.note = folder / "app", folder / "live", folder / "note"
        self.code.mkdir()
        self.live.mkdir()
        (self.code / "service.py").write_text(SERVICE, "utf-8")
        (self.code / "__pycache__").mkdir()
        (self.code / "__pycache__" / "service.cpython-311.pyc").write_bytes(b"of the image")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        values = yaml.safe_load((ROOT / "k8s" / "skaffold-dev-values.yaml").read_text("utf-8"))
        script = values["activity-worker"]["command"][2]
        environment = {"HOLDFAST_CODE": str(self.code), "PYTHONPATH": str(self.live)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "service", str(self.note)],
            env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )

    def end(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def has_noted(self, *lines: str) -> None:
        eventually(f"the notes are {lines}", lambda: self.noted() == list(lines), seconds=15)

    def noted(self) -> list[str]:
        return self.note.read_text("utf-8").split() if self.note.exists() else []


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    found = Live(tmp_path)
    yield found
    if found.process is not None and found.process.poll() is None:
        os.killpg(found.process.pid, signal.SIGKILL)  # the service, too
        found.process.wait()


def test_a_changed_file_runs_and_the_service_before_it_ended_in_peace(live: Live) -> None:
    live.start()
    live.has_noted("one")
    (live.live / "service.py").write_text(SERVICE.replace("one", "two"), "utf-8")
    live.has_noted("one", "ended", "two")
    assert live.end() == 0
    assert live.noted()[-1] == "ended"


def test_a_file_that_cannot_run_is_waited_out(live: Live) -> None:
    live.start()
    live.has_noted("one")
    (live.live / "service.py").write_text("this is no Python", "utf-8")
    live.has_noted("one", "ended")
    (live.live / "service.py").write_text(SERVICE.replace("one", "mended"), "utf-8")
    live.has_noted("one", "ended", "mended")


def test_a_container_that_starts_anew_keeps_what_was_put_there(live: Live) -> None:
    live.start()
    live.has_noted("one")
    (live.live / "service.py").write_text(SERVICE.replace("one", "two"), "utf-8")
    live.has_noted("one", "ended", "two")
    live.end()
    live.start()
    live.has_noted("one", "ended", "two", "ended", "two")
    assert not list(live.live.rglob("*.pyc"))
