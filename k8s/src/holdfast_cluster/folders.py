"""Where the files of a cluster are, and those of the engine that all clusters share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from holdfast_cluster.errors import ClusterError
from holdfast_local.cache import cache_folder
from holdfast_local.folders import repository

#: A node's host name is the cluster's with at most 15 more characters, and has 63 at most.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")


def manifests() -> Path:
    """Give the folder of this repository's manifests for the cluster."""
    return repository() / "k8s"


@dataclass(frozen=True)
class ClusterFolder:
    """The folder of one cluster, ``<root>/.run/cluster/<name>``, and the files in it."""

    root: Path
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ClusterError(
                f"{self.name!r} is no name for a cluster: lower-case letters, digits and hyphens, "
                "at most 30, a letter or digit first and last"
            )

    @property
    def path(self) -> Path:
        """The folder itself."""
        return self.root / ".run" / "cluster" / self.name

    @property
    def kubeconfig(self) -> Path:
        """How to reach the cluster, for kubectl, Helm and Skaffold."""
        return self.path / "kubeconfig"

    @property
    def made(self) -> Path:
        """Says what the nodes were made from; written when they are whole, and not before."""
        return self.path / "made.json"

    @property
    def lock(self) -> Path:
        """Held by whoever makes, fills or unmakes the cluster."""
        return self.path / "cluster.lock"

    @property
    def log(self) -> Path:
        """What every program said that was run for this cluster."""
        return self.path / "cluster.log"

    def create(self) -> None:
        """Make the folder; what is there stays."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)


@dataclass(frozen=True)
class EngineFolder:
    """The files of the Docker engine that is started here where the machine has none."""

    path: Path

    @property
    def data(self) -> Path:
        """Images and containers: what makes the second time quick."""
        return self.path / "data"

    @property
    def socket(self) -> Path:
        """Where the engine listens; a short path, for a socket's path has 107 bytes.

        Each folder has its own: who starts an engine clears away what was left there.
        """
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:8]
        return Path(f"/run/holdfast-docker-{name}/docker.sock")

    @property
    def state(self) -> Path:
        """What the engine keeps while it runs."""
        return self.socket.parent / "exec"

    @property
    def pid(self) -> Path:
        """Written by the engine."""
        return self.socket.parent / "docker.pid"

    @property
    def firewall(self) -> Path:
        """The packet filter as it was before the engine's first start."""
        return self.socket.parent / "firewall.json"

    @property
    def configuration(self) -> Path:
        """What the engine starts with."""
        return self.path / "daemon.json"

    @property
    def runtime(self) -> Path:
        """Starts runc without a capability that the machine does not give."""
        return self.path / "runc-without-sys-resource"

    @property
    def log(self) -> Path:
        """What the engine says."""
        return self.path / "dockerd.log"

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops the engine."""
        return self.path / "engine.lock"


def engine_folder() -> EngineFolder:
    """Return the engine's folder in the user's cache."""
    return EngineFolder(cache_folder() / "docker")


def clusters_of(root: Path) -> list[str]:
    """Name every cluster that has a folder under ``root``."""
    return sorted(path.parent.name for path in root.glob(".run/cluster/*/cluster.lock"))
