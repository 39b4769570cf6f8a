"""Where the files of a stack are."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from holdfast_local.errors import StackError

#: Room for app-ids in a DNS label: ``activity-worker-<name>-<6 hex>``.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
#: A Unix socket's path has 107 bytes; supervisord adds a suffix while it makes one.
_LONGEST_SOCKET_PATH = 90


def repository() -> Path:
    """Give the root of the clone that this package runs from."""
    return Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class StackFolder:
    """The folder of one stack, ``<root>/.run/<name>``, and the files in it."""

    root: Path
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise StackError(
                f"{self.name!r} is no name for a stack: lower-case letters, digits and hyphens, "
                "at most 30, a letter or digit first and last"
            )

    @property
    def path(self) -> Path:
        """The folder itself."""
        return self.root / ".run" / self.name

    @property
    def marker(self) -> str:
        """What every process of this stack, and no other, carries in ``HOLDFAST_STACK``."""
        return str(self.path)

    @property
    def digest(self) -> str:
        """A short name for this folder where its path would be too long."""
        return sha256(self.marker.encode()).hexdigest()[:12]

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.path / "logs"

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops the stack."""
        return self.path / "stack.lock"

    @property
    def identity(self) -> Path:
        """What must outlive a stop: the app-ids' suffix."""
        return self.path / "identity.json"

    @property
    def secrets(self) -> Path:
        """Passwords and tokens, made once, readable by the owner only."""
        return self.path / "secrets.json"

    @property
    def tokens(self) -> Path:
        """A token of the API for each role, readable by the owner only."""
        return self.path / "tokens.json"

    @property
    def token_hashes(self) -> Path:
        """What the status API knows of these tokens."""
        return self.path / "token-hashes.json"

    @property
    def ports(self) -> Path:
        """The ports of the last start."""
        return self.path / "ports.json"

    @property
    def descriptor(self) -> Path:
        """What other programs need to know of a stack that is up."""
        return self.path / "stack.json"

    @property
    def components(self) -> Path:
        """The Dapr resources that the sidecars load."""
        return self.path / "components"

    @property
    def configuration(self) -> Path:
        """The Dapr configuration that the sidecars start with."""
        return self.path / "configuration.yaml"

    @property
    def postgres(self) -> Path:
        """The database's folder, or a link to it."""
        return self.path / "postgres"

    @property
    def scheduler(self) -> Path:
        """The scheduler's etcd folder."""
        return self.path / "scheduler"

    @property
    def metrics(self) -> Path:
        """Where the worker processes of one service add up their metrics."""
        return self.path / "metrics"

    @property
    def supervisord_conf(self) -> Path:
        """What supervisord runs."""
        return self.path / "supervisord.conf"

    @property
    def supervisord_pid(self) -> Path:
        """Written by supervisord."""
        return self.path / "supervisord.pid"

    @property
    def supervisord_log(self) -> Path:
        """Starts, exits and restarts of every process."""
        return self.logs / "supervisord.log"

    @property
    def supervisord_socket(self) -> Path:
        """The Unix socket that supervisord is spoken to through."""
        near = self.path / "supervisor.sock"
        if len(str(near)) <= _LONGEST_SOCKET_PATH:
            return near
        return Path(tempfile.gettempdir()) / f"holdfast-{self.digest}.sock"

    def log(self, process: str) -> Path:
        """Give the log file of a process."""
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Make the folder and its sub-folders; what is there stays."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)  # as root, PostgreSQL's own user passes through to its data
        for folder in (self.logs, self.components, self.metrics):
            folder.mkdir(mode=0o700, exist_ok=True)


def stacks_of(root: Path) -> list[str]:
    """Name every stack that has a folder under ``root``."""
    return sorted(path.parent.name for path in root.glob(".run/*/identity.json"))
