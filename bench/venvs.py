"""Virtual environments of the rivals: what each brings must not meet what Holdfast needs."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench.processes import BenchError
from holdfast_local.folders import repository


def requirements(name: str) -> Path:
    """Return the lock of an environment."""
    return repository() / "requirements" / f"bench-{name}.txt"


def python_of(name: str) -> Path:
    """Return the Python of an environment, made from its lock unless it is there."""
    lock = requirements(name)
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    venv = repository() / ".run" / "bench-venvs" / name
    stamp = venv / "stamp"
    if not (stamp.is_file() and stamp.read_text() == wanted):
        shutil.rmtree(venv, ignore_errors=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(venv))
        into = ("--python", str(venv / "bin" / "python"))
        # pip's own settings say where packages come from; uv is told through its variables.
        _uv("pip", "install", "--quiet", "--require-hashes", *into, "-r", str(lock))
        stamp.write_text(wanted)
    return venv / "bin" / "python"


def version_of(name: str, package: str) -> str:
    """Return the version of a package that an environment's lock names."""
    match = re.search(
        rf"^{re.escape(package)}==(\S+)", requirements(name).read_text(), re.MULTILINE
    )
    if match is None:
        raise BenchError(f"{requirements(name)} does not name {package}")
    return match[1]


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"uv {arguments[0]} failed: {done.stderr.strip()[-500:]}")
