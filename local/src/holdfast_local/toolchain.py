"""Go programs of the pinned version: found, or built once into the user's cache.

``tools/dapr/go.mod`` and ``go.sum`` pin what is built, down to the checksum of every module; so do
those in ``tools/prometheus`` for promtool, which checks the alert rules. A binary of that very
version that is already on the machine is used as it is.

Try it alone: ``python -m holdfast_local.toolchain build daprd``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout
from rich.console import Console

from holdfast_local.build_info import read_build_info
from holdfast_local.build_view import BuildView
from holdfast_local.cache import cache_folder
from holdfast_local.folders import repository
from holdfast_local.go_toolchain import installed_go, pinned_go, wanted_version
from holdfast_local.toolchain_errors import ToolchainError, explain_disk, explain_go

MODULE = "github.com/dapr/dapr"
#: What the one-machine stack runs.
STACK_BINARIES = ("daprd", "placement", "scheduler")
#: All that is pinned; the other three are for clusters.
ALL_BINARIES = (*STACK_BINARIES, "sentry", "operator", "injector")
#: daprd with the components that Dapr calls stable, the state store on PostgreSQL among them.
_TAGS = {"daprd": "stablecomponents"}
_GO_FLAGS = "-mod=readonly -trimpath -buildvcs=false"
_LOG_TAIL_BYTES = 200_000


@dataclass(frozen=True)
class Source:
    """A Go module that is pinned in a folder of ``tools``, and the programs it has."""

    name: str
    folder: str
    module: str
    binaries: tuple[str, ...]


DAPR = Source("Dapr", "dapr", MODULE, ALL_BINARIES)
PROMETHEUS = Source("Prometheus", "prometheus", "github.com/prometheus/prometheus", ("promtool",))


@dataclass(frozen=True)
class Pin:
    """What is to be built: the version and everything that decides the bytes."""

    source: Source
    module: Path
    version: str
    oldest_go: tuple[int, ...]
    checksum: str

    @property
    def link_flags(self) -> str:
        """What the linker is told, so that a binary knows its version."""
        return link_flags(self.version, self.source)


def link_flags(version: str, source: Source = DAPR) -> str:
    """Return the linker's flags for a version; Dapr's programs are told theirs."""
    if source is not DAPR:
        return "-s -w"
    return (
        f"-s -w -X {MODULE}/pkg/buildinfo.version={version} "
        f"-X github.com/dapr/kit/logger.DaprVersion={version}"
    )


def read_pin(root: Path, source: Source = DAPR) -> Pin:
    """Return the pin that a clone holds."""
    module = root / "tools" / source.folder
    go_mod = (module / "go.mod").read_text("utf-8")
    match = re.search(rf"^require {re.escape(source.module)} v(\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ToolchainError(
            f"{module / 'go.mod'} does not name {source.module}: restore it with git."
        )
    version = match[1]
    facts = (
        go_mod,
        (module / "go.sum").read_text("utf-8"),
        f"{_GO_FLAGS} {link_flags(version, source)} {_TAGS}",
        f"{platform.system()} {platform.machine()}",
    )
    checksum = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]
    return Pin(source, module, version, wanted_version(go_mod), checksum)


def is_pinned_version(path: Path, name: str, version: str, source: Source = DAPR) -> bool:
    """Tell whether an executable is the named program of just that version."""
    if not (path.is_file() and os.access(path, os.X_OK)):
        return False
    info = read_build_info(path)
    if info is not None and info.module == source.module and info.version.startswith("v"):
        return info.package == f"{source.module}/cmd/{name}" and info.version == f"v{version}"
    # Official builds carry no version there; of all the binaries daprd alone can be asked for it.
    return name == "daprd" and _answer(path) == version


def _answer(daprd: Path) -> str | None:
    try:
        asked = subprocess.run(
            [daprd, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip().removeprefix("v") if asked.returncode == 0 else None


def installed_candidates(name: str) -> Iterator[Path]:
    """Yield where an installed binary of that name may be."""
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    yield Path.home() / ".dapr" / "bin" / name


def find_installed(
    name: str, version: str, candidates: Iterable[Path], source: Source = DAPR
) -> Path | None:
    """Return the first candidate that is of the pinned version."""
    return next(
        (path for path in candidates if is_pinned_version(path, name, version, source)), None
    )


class Toolchain:
    """Hand out a module's programs of the pinned version, building those that are nowhere."""

    def __init__(self, root: Path, cache: Path, source: Source = DAPR) -> None:
        self._pin = read_pin(root, source)
        self._go_lock = root / "tools" / "go" / "requirements.txt"
        self._cache = cache
        self._bin = cache / "bin" / f"{source.folder}-{self._pin.version}-{self._pin.checksum}"

    @property
    def version(self) -> str:
        """The pinned version."""
        return self._pin.version

    def find(self, name: str) -> Path | None:
        """Return the binary if it is installed or was built before."""
        source = self._pin.source
        if name not in source.binaries:
            known = ", ".join(source.binaries)
            raise ToolchainError(f"{name!r} is none of {source.name}'s binaries: {known}.")
        built = self._bin / name
        if os.access(built, os.X_OK):
            return built
        return find_installed(name, self._pin.version, installed_candidates(name), source)

    def ensure(self, names: Iterable[str], view: BuildView | None = None) -> dict[str, Path]:
        """Return the named binaries, building what is missing while other processes wait."""
        wanted = tuple(names)
        found = {name: self.find(name) for name in wanted}
        if all(found.values()):
            return {name: path for name, path in found.items() if path}
        self._bin.mkdir(parents=True, exist_ok=True)
        view = view or BuildView()
        with _alone(self._bin.with_name(f"{self._bin.name}.lock"), view):
            return {name: self.find(name) or self._build(name, view) for name in wanted}

    def _build(self, name: str, view: BuildView) -> Path:
        """Build one binary beside its place and move it there whole."""
        _check_disk(self._cache)
        go = installed_go(self._pin.oldest_go)
        with view:
            if go is None:
                view.begin("Installing the pinned Go", "")
                go = pinned_go(self._go_lock, self._cache)
                view.end("Pinned Go installed")
            log = self._cache / "logs" / f"build-{name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("", "utf-8")
            build = GoBuild(go, self._pin, name, log)
            view.begin(f"{name}: downloading", "modules")
            total = sum(1 for _ in build.packages(view))
            with tempfile.TemporaryDirectory(dir=self._bin, prefix=f".{name}-") as scratch:
                view.begin(f"{name}: compiling", "packages", total)
                build.compile(Path(scratch) / name, view)
                (Path(scratch) / name).replace(self._bin / name)
            view.end(f"{name} {self._pin.version} built into {self._bin}")
        return self._bin / name


class GoBuild:
    """One binary's build."""

    def __init__(self, go: Path, pin: Pin, name: str, log: Path) -> None:
        self._go = go
        self._pin = pin
        self._name = name
        self._log = log
        self._package = f"{pin.source.module}/cmd/{name}"
        self._tags = ("-tags", _TAGS[name]) if name in _TAGS else ()

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
            subprocess.Popen(
                [self._go, *arguments],
                cwd=self._pin.module,
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
                for line in go.stderr or ():
                    out.write(line)
                    view.advance()
            except BaseException:
                os.killpg(go.pid, signal.SIGTERM)
                raise
        if go.returncode != 0:
            output = self._log.read_text("utf-8", "replace")[-_LOG_TAIL_BYTES:]
            raise ToolchainError(explain_go(output, self._name, self._log))


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
    environment.setdefault("HOME", str(Path.home()))
    return environment


def _check_disk(cache: Path) -> None:
    go_cache = os.environ.get("GOCACHE")
    for folder in (cache, Path(go_cache) if go_cache else Path.home()):
        if folder.is_dir():
            problem = explain_disk(shutil.disk_usage(folder).free, folder)
            if problem:
                raise ToolchainError(problem)


@contextmanager
def _alone(lock_file: Path, view: BuildView) -> Iterator[None]:
    """Let one process at a time build into a folder."""
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        view.say("Another process is building Dapr's binaries; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def ensure_dapr(
    names: Iterable[str] = STACK_BINARIES, progress: Console | None = None
) -> dict[str, Path]:
    """Return the named binaries of the pinned version, built if they are nowhere yet."""
    return Toolchain(repository(), cache_folder()).ensure(names, BuildView(progress))


def promtool(progress: Console | None = None) -> Path:
    """Return Prometheus' tool for rules, of the pinned version, built if it is nowhere yet."""
    toolchain = Toolchain(repository(), cache_folder(), PROMETHEUS)
    return toolchain.ensure(PROMETHEUS.binaries, BuildView(progress))["promtool"]


def dapr_binary(name: str) -> Path:
    """Return one binary of the pinned version, built if it is nowhere yet."""
    return ensure_dapr((name,))[name]


app = typer.Typer(help="Dapr's binaries of the pinned version.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `build` a word of its own, however many commands there are."""


@app.command()
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Any of {', '.join((*ALL_BINARIES, *PROMETHEUS.binaries))}."),
    ] = None,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print where they are.")] = False,
) -> None:
    """Build the named binaries, or the ones that the stack runs, and print where they are."""
    try:
        wanted = tuple(names or STACK_BINARIES)
        found = ensure_dapr([name for name in wanted if name not in PROMETHEUS.binaries])
        if "promtool" in wanted:
            found["promtool"] = promtool()
        for name, path in found.items():
            if not quiet:
                typer.echo(f"{name}\t{path}")
    except ToolchainError as error:
        typer.echo(f"holdfast: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
