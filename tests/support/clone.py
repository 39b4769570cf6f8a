"""What the tests of the repository itself know about it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def packages() -> list[Path]:
    """Return the folder of every Python package of the repository."""
    found = sorted(path.parent for path in ROOT.glob("*/pyproject.toml"))
    return found + sorted(path.parent for path in ROOT.glob("services/*/pyproject.toml"))


def files() -> list[Path]:
    """Return every file that belongs to the repository, committed or about to be."""
    # A checkout that another user made is as good a tree to read as one's own.
    git = ("git", "-c", "safe.directory=*")
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [path for name in listed if name and (path := ROOT / name).is_file()]
