"""The Docker engine that the nodes run in: the machine's own, or one that is started here."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast_cluster.commands import Runner
from holdfast_cluster.errors import CommandError
from holdfast_cluster.folders import EngineFolder, engine_folder
from holdfast_cluster.packages import find_program

_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers."""

    client: str
    host: str | None
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to speak to this engine."""
        # BuildKit is not in Debian's package; the classic builder is in every one.
        base = {"DOCKER_BUILDKIT": "0", "BUILDKIT_PROGRESS": "plain"}
        return base | ({"DOCKER_HOST": self.host} if self.host else {})

    @property
    def runner(self) -> Runner:
        """Runs programs that speak to this engine."""
        return Runner(self.log, self.environment)

    def docker(self, *arguments: str, stdin: str | None = None, seconds: float = 300) -> str:
        """Run a command of the Docker client and return what it prints."""
        what = f"docker {arguments[0]}"
        return self.runner.run((self.client, *arguments), stdin=stdin, seconds=seconds, what=what)

    def image_label(self, reference: str, label: str) -> str | None:
        """Return a label of an image, or None where there is no such image."""
        try:
            listed = json.loads(self.docker("image", "inspect", reference))
        except CommandError:
            return None
        labels = listed[0].get("Config", {}).get("Labels") or {}
        return str(labels.get(label, ""))

    def image_bytes(self, reference: str) -> int:
        """Return how large an image is."""
        return int(self.docker("image", "inspect", "--format", "{{.Size}}", reference))

    def containers(self, *filters: str) -> list[str]:
        """Return the names of all containers that pass the filters."""
        options = [part for one in filters for part in ("--filter", one)]
        listed = self.docker("ps", "--all", "--format", "{{.Names}}", *options)
        return sorted(listed.split())


def answers(client: str, host: str | None, runner: Runner) -> bool:
    """Tell whether an engine answers at a place."""
    asked = Runner(runner.log, {"DOCKER_HOST": host} if host else {})
    try:
        asked.run((client, "version", "--format", "{{.Server.Version}}"), seconds=_ANSWER_SECONDS)
    except CommandError:
        return False
    return True


def own_host(folder: EngineFolder) -> str:
    """Return how a client names the engine that is started here."""
    return f"unix://{folder.socket}"


def find_engine(log: Path, folder: EngineFolder | None = None) -> Engine | None:
    """Return the engine that the user names, the machine's, or the one started here before."""
    client = find_program("docker")
    if client is None:
        return None
    folder = folder or engine_folder()
    hosts: Sequence[str | None] = (None, own_host(folder))
    if os.environ.get("DOCKER_HOST"):
        hosts = (None,)  # the user has said which one
    for host in hosts:
        if host is not None and not folder.socket.exists():
            continue
        if answers(client, host, Runner(log)):
            return Engine(client, host, log)
    return None
