"""Go programs of the pinned version: found, or built once into the user's cache.

A folder of ``tools`` for each module pins what is built: its ``go.mod`` the version, its ``go.sum``
the checksum of every module that goes in. A binary of that very version that is already on the
machine is used as it is.

Try it alone: ``python -m holdfast_local.toolchain build daprd``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout
from rich.console import Console

from holdfast_local.build_info import read_build_info
from holdfast_local.build_view import BuildView
from holdfast_local.cache import cache_folder
from holdfast_local.folders import repository
from holdfast_local.go_build import GoBuild, download_module, read_pin
from holdfast_local.go_toolchain import installed_go, pinned_go
from holdfast_local.toolchain_errors import ToolchainError, explain_disk
from holdfast_local.toolchain_sources import (
    DAPR,
    PROMETHEUS,
    SOURCES,
    STACK_BINARIES,
    Source,
    source_of,
)


def is_pinned_version(path: Path, name: str, version: str, source: Source = DAPR) -> bool:
    """Tell whether an executable is the named program of just that version."""
    if not (path.is_file() and os.access(path, os.X_OK)):
        return False
    info = read_build_info(path)
    if info is not None and info.module == source.module and info.version.startswith("v"):
        return info.package == source.package(name) and info.version == f"v{version}"
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

    def fetch(self, name: str) -> None:
        """Download what a binary is built from, unless it is there; compile nothing."""
        if self.find(name) is None:
            view = BuildView(Console(quiet=True))
            self._new_build(name, "fetch", view).packages(view)

    def _build(self, name: str, view: BuildView) -> Path:
        """Build one binary beside its place and move it there whole."""
        _check_disk(self._cache)
        with view:
            build = self._new_build(name, "build", view)
            view.begin(f"{name}: downloading", "modules")
            total = sum(1 for _ in build.packages(view))
            with tempfile.TemporaryDirectory(dir=self._bin, prefix=f".{name}-") as scratch:
                view.begin(f"{name}: compiling", "packages", total)
                build.compile(Path(scratch) / name, view)
                (Path(scratch) / name).replace(self._bin / name)
            view.end(f"{name} {self._pin.version} built into {self._bin}")
        return self._bin / name

    def _new_build(self, name: str, what: str, view: BuildView) -> GoBuild:
        """Return a binary's build, with an empty log of its own."""
        go = self._go(view)
        log = self._cache / "logs" / f"{what}-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", "utf-8")
        return GoBuild(go, self._pin, name, log)

    def module_folder(self, view: BuildView | None = None) -> Path:
        """Return the folder of the module's own files, as pinned: its charts and manifests."""
        view = view or BuildView()
        with view:
            return download_module(self._go(view), self._pin)

    def _go(self, view: BuildView) -> Path:
        go = installed_go(self._pin.oldest_go)
        if go is None:
            view.begin("Installing the pinned Go", "")
            go = pinned_go(self._go_lock, self._cache)
            view.end("Pinned Go installed")
        return go


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
        view.say("Another process is building these programs; waiting for it.")
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


def toolchain_of(source: Source) -> Toolchain:
    """Return the toolchain of a source, in this clone and the user's cache."""
    return Toolchain(repository(), cache_folder(), source)


def ensure_tools(names: Iterable[str], progress: Console | None = None) -> dict[str, Path]:
    """Return the named programs, whatever their sources, one build after the other."""
    wanted = tuple(names)
    view = BuildView(progress)
    found: dict[str, Path] = {}
    for toolchain, ours in _toolchains(wanted):
        found |= toolchain.ensure(ours, view)
    return {name: found[name] for name in wanted}


def fetching(names: Iterable[str]) -> list[Callable[[], None]]:
    """Return what downloads the modules of each named program, in the order of their builds."""
    return [
        partial(toolchain.fetch, name) for toolchain, ours in _toolchains(names) for name in ours
    ]


def _toolchains(names: Iterable[str]) -> list[tuple[Toolchain, list[str]]]:
    """Return each toolchain that is needed, in their order, with the programs that it is to build.

    Raises ``ToolchainError`` if one of the programs is none of any.
    """
    wanted = tuple(names)
    for name in wanted:
        if source_of(name) is None:
            known = ", ".join(binary for source in SOURCES for binary in source.binaries)
            raise ToolchainError(f"{name!r} is no program that is pinned here: {known}.")
    of_sources = [(source, [n for n in wanted if n in source.programs]) for source in SOURCES]
    return [(toolchain_of(source), ours) for source, ours in of_sources if ours]


def promtool(progress: Console | None = None) -> Path:
    """Return Prometheus' tool for rules, of the pinned version, built if it is nowhere yet."""
    return toolchain_of(PROMETHEUS).ensure(("promtool",), BuildView(progress))["promtool"]


def dapr_binary(name: str) -> Path:
    """Return one binary of the pinned version, built if it is nowhere yet."""
    return ensure_dapr((name,))[name]


app = typer.Typer(help="Go programs of the pinned versions.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `build` a word of its own, however many commands there are."""


@app.command()
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Any of {', '.join(name for source in SOURCES for name in source.binaries)}."
        ),
    ] = None,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print where they are.")] = False,
) -> None:
    """Build the named binaries, or the ones that the stack runs, and print where they are."""
    try:
        for name, path in ensure_tools(names or STACK_BINARIES).items():
            if not quiet:
                typer.echo(f"{name}\t{path}")
    except ToolchainError as error:
        typer.echo(f"holdfast: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
