"""A Redis server: the machine's own, or Debian's packages unpacked into the user's cache."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import BenchError
from holdfast_local.cache import cache_folder

#: The server and what its program is linked with, besides what every Debian has.
_PACKAGES = (
    "redis-server",
    "redis-tools",
    "libjemalloc2",
    "liblua5.1-0",
    "liblzf1",
    "lua-bitop",
    "lua-cjson",
)


@dataclass(frozen=True)
class Server:
    """The program, and what it must find in its environment."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def redis_server() -> Server:
    """Return a server's program; nothing is installed on the machine."""
    installed = shutil.which("redis-server")
    if installed:
        return Server(Path(installed))
    home = cache_folder() / "debian-redis"
    if not home.exists():
        _unpack(home)
    (library,) = home.glob("usr/lib/*/liblzf.so.1")
    return Server(home / "usr" / "bin" / "redis-server", {"LD_LIBRARY_PATH": str(library.parent)})


def _unpack(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="redis-") as scratch:
        try:
            subprocess.run(
                ["apt-get", "download", "-q", *_PACKAGES],  # noqa: S607 - wherever apt is
                cwd=scratch,
                capture_output=True,
                text=True,
                check=True,
            )
            for package in Path(scratch).glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, f"{scratch}/root"], check=True)  # noqa: S607
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or ""
            raise BenchError(
                f"Redis is not here: install redis-server ({error} {said.strip()[-300:]})"
            ) from error
        Path(scratch, "root").rename(home)
