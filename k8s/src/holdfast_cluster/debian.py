"""Images that hold Debian 12 and a few of its packages, made without any other image.

apt checks every package against the archive's signature. What a build downloads comes from where
the machine's own apt takes it, mirror and proxy included.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast_cluster.commands import Runner
from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import ClusterError, CommandError
from holdfast_cluster.machine import is_debian, is_root
from holdfast_cluster.packages import BOOTSTRAP, ensure_programs, find_program
from holdfast_local.build_view import BuildView
from holdfast_local.cache import cache_folder

#: systemd 252 boots a node on cgroup v1 and v2; that of Debian 13 on v2 only.
SUITE = "bookworm"
#: The label that says what an image was made from.
INPUTS = "holdfast.inputs"
#: Goes up when the way an image is made changes what is in it.
_RECIPE = "2"
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
#: Nobody reads a manual in a container; licences stay.
_WITHOUT = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
_WITH = ("/usr/share/doc/*/copyright",)


@dataclass(frozen=True)
class DebianImage:
    """Debian's essential packages and some more, with what is left out and done at the end."""

    name: str
    version: str
    packages: tuple[str, ...]
    without: tuple[str, ...] = ()
    #: Shell commands; ``$1`` is the root of the new system.
    finish: tuple[str, ...] = ()
    #: Instructions of a Dockerfile.
    changes: tuple[str, ...] = ()

    @property
    def inputs(self) -> str:
        """A checksum of all that decides what is in the image."""
        facts = (_RECIPE, SUITE, *map(repr, (self.packages, self.without, self.finish)))
        return hashlib.sha256("\0".join((*facts, repr(self.changes))).encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        """The image's name and tag; another tag for every other content."""
        return f"{self.name}:{self.version}-{self.inputs}"


def ensure_debian_image(image: DebianImage, engine: Engine, view: BuildView) -> str:
    """Return the image's name, made if the engine has none with these inputs."""
    if engine.image_label(image.reference, INPUTS) == image.inputs:
        return image.reference
    if not (is_root() and is_debian()):
        raise ClusterError(
            "Without an image registry the images are made from Debian's packages, which takes "
            "root on a Debian machine: run this as root there, or connect to a registry."
        )
    runner = engine.runner
    ensure_programs((BOOTSTRAP,), runner, view)
    archive = Path(cache_folder()) / "tmp"
    archive.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive, prefix="debian-") as scratch, view:
        tar = Path(scratch) / "root.tar"
        build = Runner(engine.log, {"TMPDIR": scratch, "SOURCE_DATE_EPOCH": "0"})
        label = f"{image.name}: Debian packages"
        try:
            build.watch(_bootstrap(image, tar, runner), view, label)
        except CommandError as error:
            raise ClusterError(
                f"{image.name} cannot be made from Debian's packages: check that apt works here "
                f"(`apt-get update`) and run this again ({error})"
            ) from error
        engine.docker("import", *_changes(image), str(tar), image.reference)
        size = engine.image_bytes(image.reference) / 10**6
        view.end(f"{image.reference} made, {size:.0f} MB")
    return image.reference


def _changes(image: DebianImage) -> list[str]:
    changes = (*image.changes, f"LABEL {INPUTS}={image.inputs}")
    return [part for change in changes for part in ("--change", change)]


def _bootstrap(image: DebianImage, tar: Path, runner: Runner) -> list[str]:
    mmdebstrap = find_program(BOOTSTRAP.name)
    if mmdebstrap is None:
        raise ClusterError("mmdebstrap was installed, and is still not there.")
    include = ",".join(("usr-is-merged", *image.packages))
    return [
        *(mmdebstrap, "--variant=essential", f"--include={include}"),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *(f"--aptopt={option}" for option in _apt_options(runner)),
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in (*_WITHOUT, *image.without)),
        *(f"--dpkgopt=path-include={path}" for path in _WITH),
        *(f"--customize-hook={command}" for command in image.finish),
        *(SUITE, str(tar)),
        *_sources(),
    ]


def _apt_options(runner: Runner) -> Sequence[str]:
    """Return how the machine's own apt reaches its mirror."""
    dumped = runner.run(("apt-config", "dump", "Acquire")).splitlines()
    kept = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")
    options = [line.rstrip(";") for line in dumped if line.startswith(kept) and '""' not in line]
    return ('Apt::Install-Recommends "false"', *options)


def _sources() -> list[str]:
    """Return the machine's own list of mirrors where it is for the same Debian."""
    for source in _SOURCES:
        if os.access(source, os.R_OK) and SUITE in Path(source).read_text("utf-8"):
            return [source]
    return []
