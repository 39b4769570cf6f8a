"""Build one pinned Go program, or bring its module here: what `go` is told, and what it says."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast_local.build_view import BuildView
from holdfast_local.go_toolchain import wanted_version
from holdfast_local.toolchain_errors import ToolchainError, explain_download, explain_go
from holdfast_local.toolchain_sources import DAPR, Source

_GO_FLAGS = "-mod=readonly -trimpath -buildvcs=false"
_LOG_TAIL_BYTES = 200_000


@dataclass(frozen=True)
class Pin:
    """What is to be built: the version and everything that decides the bytes."""

    source: Source
    folder: Path
    version: str
    oldest_go: tuple[int, ...]
    checksum: str

    @property
    def link_flags(self) -> str:
        """What the linker is told, so that a binary knows its version."""
        return self.source.link_flags(self.version)


def read_pin(root: Path, source: Source = DAPR) -> Pin:
    """Return the pin that a clone holds."""
    folder = root / "tools" / source.folder
    go_mod = (folder / "go.mod").read_text("utf-8")
    match = re.search(rf"^require {re.escape(source.module)} v(\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ToolchainError(
            f"{folder / 'go.mod'} does not name {source.module}: restore it with git."
        )
    version = match[1]
    facts = (
        go_mod,
        (folder / "go.sum").read_text("utf-8"),
        *(file.read_text("utf-8") for file in sorted(folder.glob("*/*.go"))),
        f"{_GO_FLAGS} {source.link_flags(version)} {dict(source.tags)}",
        f"{platform.system()} {platform.machine()}",
    )
    checksum = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]
    return Pin(source, folder, version, wanted_version(go_mod), checksum)


class GoBuild:
    """One binary's build."""

    def __init__(self, go: Path, pin: Pin, name: str, log: Path) -> None:
        self._go = go
        self._pin = pin
        self._name = name
        self._log = log
        self._package = pin.source.package(name)
        tags = pin.source.tags.get(name)
        self._tags = ("-tags", tags) if tags else ()

    def packages(self, view: BuildView) -> list[str]:
        """Return the packages that make up the binary; download their modules on the way."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as listed:
            self._run(("list", "-deps", *self._tags, self._package), view, stdout=listed.fileno())
            listed.seek(0)
            return listed.read().split()

    def compile(self, target: Path, view: BuildView) -> None:
        """Compile and link into a file."""
        flags = ("-v", *self._tags, "-ldflags", self._pin.link_flags, "-o", str(target))
        self._run(("build", *flags, self._package), view)

    def _run(self, arguments: tuple[str, ...], view: BuildView, stdout: int | None = None) -> None:
        """Run Go, count its lines, keep them in the log, and explain a failure in one line."""
        with (
            self._log.open("a", encoding="utf-8") as out,
            _interrupt_held_back() as let_through,
            subprocess.Popen(
                [self._go, *arguments],
                cwd=self._pin.folder,
                env=go_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if stdout is None else stdout,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                # A group of its own: an interrupted build ends with all its compilers.
                start_new_session=True,
            ) as go,
        ):
            try:
                let_through()
                for line in go.stderr or ():
                    out.write(line)
                    view.advance()
            except BaseException:
                os.killpg(go.pid, signal.SIGTERM)
                raise
        if go.returncode != 0:
            output = self._log.read_text("utf-8", "replace")[-_LOG_TAIL_BYTES:]
            raise ToolchainError(explain_go(output, self._name, self._log, self._pin.source.folder))


@contextmanager
def _interrupt_held_back() -> Iterator[Callable[[], None]]:
    """Hold a Ctrl-C back until the given function is called.

    One that came while a process was being started would leave it running: nobody has its id yet.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # Python interrupts the main thread and no other.
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))

    def let_through() -> None:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(came.pop())

    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, before)


def go_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for Go: the user's proxies and caches, but our target and flags."""
    environment = dict(base)
    for name in ("GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GO111MODULE", "GOROOT"):
        environment.pop(name, None)
    environment |= {
        "CGO_ENABLED": "0",
        "GOFLAGS": _GO_FLAGS,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    # Compilers live for a second: not to collect their garbage saves an eighth of the time.
    environment.setdefault("GOGC", "off")
    environment.setdefault("GOMEMLIMIT", "2GiB")
    environment.setdefault("HOME", str(Path.home()))
    return environment


def download_module(go: Path, pin: Pin) -> Path:
    """Return the folder of a pin's module in Go's module cache, downloaded if it is not there.

    Its bytes are those that the pin's ``go.sum`` names: Go checks them.
    """
    done = subprocess.run(
        [go, "mod", "download", "-json", pin.source.module],
        cwd=pin.folder,
        env=go_environment(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    if done.returncode != 0 or "Dir" not in answer:
        said = f"{done.stderr}{answer.get('Error', '')}"
        raise ToolchainError(explain_download(said, pin.source.name, pin.source.folder))
    return Path(answer["Dir"])
