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
        _run(sys.executable, "-m", "venv", venv)
        # pip, not uv: the machine's settings for pip say where packages come from.
        quiet = ("--quiet", "--disable-pip-version-check")
        pip = (venv / "bin" / "python", "-m", "pip", "install", *quiet)
        _run(*pip, "--require-hashes", "-r", lock)
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


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(command), capture_output=True, text=True, check=False)
    if done.returncode:
        what = " ".join(map(str, command[1:4]))
        raise BenchError(f"{what} failed: {done.stderr.strip()[-500:]}")
