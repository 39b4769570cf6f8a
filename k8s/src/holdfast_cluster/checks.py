"""What can be missing for a cluster: each check takes facts and gives one line with the way out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from holdfast_cluster.dapr import OLDEST, parse_version
from holdfast_cluster.engine import Engine
from holdfast_cluster.explain import port_taken
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.machine import free_disk, free_memory, is_debian, is_root
from holdfast_cluster.nodes import Condition
from holdfast_cluster.packages import ENGINE, find_program
from holdfast_local.cache import cache_folder

GIGABYTE = 10**9
#: From empty caches: Go's modules and objects, what is built, images, and the nodes' volumes.
COLD_DISK = 45 * GIGABYTE
#: With all images there: the nodes' volumes and what the database writes.
WARM_DISK = 10 * GIGABYTE
#: Three nodes, Dapr's fifteen pods, PostgreSQL, the services and their sidecars.
MEMORY = 6 * GIGABYTE


class Level(StrEnum):
    """How bad a finding is."""

    FINE = "ok"
    NOTE = "note"
    FATAL = "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in one line; where it is missing, with the way out."""

    level: Level
    subject: str
    text: str

    @property
    def fatal(self) -> bool:
        """Whether a cluster cannot be made, or used, like this."""
        return self.level is Level.FATAL


@dataclass(frozen=True)
class WaysOut:
    """How a cluster gets the Dapr that it lacks, and how CRDs of an older one are replaced."""

    dapr: str
    crds: str


#: On the cluster of this clone, and on any other.
HERE = WaysOut("`make cluster` installs it", "`make cluster` brings them up to date")
ELSEWHERE = WaysOut(
    "docs/charts.md says what must be there, docs/support-matrix.md how to upgrade it",
    "docs/support-matrix.md has the commands",
)


def _fine(subject: str, text: str) -> Finding:
    return Finding(Level.FINE, subject, text)


def _note(subject: str, text: str) -> Finding:
    return Finding(Level.NOTE, subject, text)


def _fatal(subject: str, text: str) -> Finding:
    return Finding(Level.FATAL, subject, text)


def check_docker(
    *, answers: bool, client: bool, daemon: bool, root: bool, debian: bool, host: str
) -> Finding:
    """Tell whether there is a Docker engine, or can be one."""
    subject = "Docker"
    if answers:
        return _fine(subject, "A Docker engine answers.")
    if host:
        return _fatal(
            subject,
            f"No Docker engine answers at {host}: start it, or unset DOCKER_HOST to use another.",
        )
    if root and (debian or daemon):
        return _note(subject, "No Docker engine runs: `make cluster` installs and starts one.")
    if client:
        return _fatal(
            subject,
            "Docker is installed and its engine does not answer: start it (on systemd: `sudo "
            "systemctl start docker`), or join its group (`sudo usermod -aG docker $USER`, then "
            "log in again).",
        )
    return _fatal(
        subject,
        "There is no Docker: install it (docs.docker.com/engine/install; on Debian `make cluster` "
        "does so itself as root).",
    )


def check_rights(*, pulled: bool, root: bool, debian: bool) -> Finding:
    """Tell whether images can be had at all."""
    subject = "Images"
    if pulled:
        return _fine(subject, "An image registry answers: official images are pulled.")
    if root and debian:
        return _note(subject, "No image registry answers: every image is built here.")
    return _fatal(
        subject,
        "No image registry answers, and building images takes root on a Debian machine: run this "
        "as root on Debian, or name a mirror that answers with REGISTRY=….",
    )


def check_disk(free: int, needed: int, folder: str) -> Finding:
    """Tell whether a disk has room."""
    subject = "Disk"
    have = f"{folder} has {free / GIGABYTE:.0f} GB free"
    if free >= needed:
        return _fine(subject, f"{have}.")
    return _fatal(
        subject,
        f"{have}, a cluster needs {needed / GIGABYTE:.0f} GB: free some space, or set "
        f"HOLDFAST_CACHE_DIR, GOCACHE and GOMODCACHE to folders on another disk.",
    )


def check_memory(free: int, *, running: bool) -> Finding:
    """Tell whether there is memory for the nodes."""
    subject = "Memory"
    have = f"{free / GIGABYTE:.1f} GB of memory are free"
    if running or free >= MEMORY:
        return _fine(subject, f"{have}.")
    return _fatal(
        subject,
        f"{have}, a cluster needs {MEMORY / GIGABYTE:.0f} GB: stop other programs (`make down` "
        f"stops the local stack), or give this machine more.",
    )


def check_port(port: int, *, taken: bool, ours: bool) -> Finding:
    """Tell whether the status API's port is free, or the cluster's own."""
    if taken and not ours:
        return _fatal("Port", port_taken(port))
    return _fine(
        "Port", f"127.0.0.1:{port} is {'the cluster' + chr(39) + 's' if ours else 'free'}."
    )


def check_cluster(condition: Condition, name: str) -> Finding:
    """Tell what there is of the cluster."""
    subject = "Cluster"
    match condition:
        case Condition.WHOLE:
            return _fine(subject, f"The cluster {name} is up.")
        case Condition.NONE:
            return _note(subject, f"There is no cluster {name}: `make cluster` makes it.")
        case Condition.STOPPED:
            return _fatal(subject, f"The nodes of {name} have stopped: `make cluster` starts them.")
        case Condition.HALF:
            return _fatal(
                subject,
                f"The cluster {name} is half made, by a command that was interrupted: `make "
                f"cluster` makes it anew, `make cluster-down` removes it.",
            )


def check_dapr(version: str | None, wanted: str, ways_out: WaysOut) -> Finding:
    """Tell whether the cluster's Dapr is there and new enough."""
    subject = "Dapr"
    if version is None:
        return _fatal(subject, f"The cluster has no Dapr: {ways_out.dapr}.")
    parsed = parse_version(version)
    oldest = ".".join(map(str, OLDEST))
    if parsed is None:
        return _note(subject, f"The cluster's Dapr does not say its version ({version}).")
    if parsed < OLDEST:
        return _fatal(
            subject,
            f"The cluster's Dapr is {version}, Holdfast needs {oldest} or newer: {ways_out.dapr} "
            f"(pinned: {wanted}).",
        )
    return _fine(subject, f"Dapr {version}.")


def check_crds(missing: Iterable[str], ways_out: WaysOut) -> Finding:
    """Tell whether the cluster has the definitions of Dapr's resources that Holdfast uses."""
    subject = "Dapr's CRDs"
    absent = ", ".join(missing)
    if not absent:
        return _fine(subject, "All of Dapr's resource definitions are there.")
    return _fatal(
        subject,
        f"The cluster's CRDs are of an older Dapr ({absent}): Helm never changes them; "
        f"{ways_out.crds}.",
    )


def before_making(folder: ClusterFolder) -> list[Finding]:
    """Return what a look at the machine finds, before anything is done to it."""
    warm = folder.made.exists() or (cache_folder() / "docker" / "data").exists()
    running = folder.made.exists()
    needed = WARM_DISK if warm else COLD_DISK
    return [
        check_disk(free_disk(cache_folder()), needed, str(cache_folder())),
        check_memory(free_memory(), running=running),
    ]


def before_building(engine: Engine | None, *, pulled: bool) -> list[Finding]:
    """Return whether this user has, or can have, an engine and the images, before any is built."""
    return [check_rights(pulled=pulled, root=is_root(), debian=is_debian()), docker_here(engine)]


def docker_here(engine: Engine | None) -> Finding:
    """Tell whether there is a Docker engine on this machine, or can be one for this user."""
    return check_docker(
        answers=engine is not None,
        client=find_program("docker") is not None,
        daemon=all(find_program(program.name) for program in ENGINE),
        root=is_root(),
        debian=is_debian(),
        host=os.environ.get("DOCKER_HOST", ""),
    )
