"""A mirror on this machine's loopback, which the nodes cannot reach by that name.

Each node has a loopback of its own. Where the mirror is a container of the same engine, it joins
the nodes' network, and each node is told to find the mirror's name there: the way that kind
documents, https://kind.sigs.k8s.io/docs/user/local-registry/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import ClusterError, CommandError

_HOSTS = "/etc/containerd/certs.d"
#: What containerd must know at its start, in the form that kind takes: where names are explained.
CONTAINERD_PATCH = f"""\
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{_HOSTS}"
"""
#: Where kind puts all nodes of all clusters.
_NETWORK = "kind"
_NETWORKS = "{{json .NetworkSettings.Networks}}"
_NAMES = frozenset({"localhost", "127.0.0.1"})


def is_on_loopback(mirror: str) -> bool:
    """Tell whether a mirror's name means this machine, whoever reads it."""
    return host_of(mirror).partition(":")[0] in _NAMES


def host_of(mirror: str) -> str:
    """Return the host and port of a mirror's name."""
    return mirror.partition("/")[0]


@dataclass(frozen=True)
class LoopbackMirror:
    """A registry's container: how this machine names it, and how its neighbours do."""

    host: str
    container: str
    port: int

    @property
    def explanation(self) -> str:
        """What a node's containerd reads to find it."""
        return f'[host."http://{self.container}:{self.port}"]\n'

    def introduce(self, engine: Engine, nodes: Iterable[str]) -> None:
        """Let the nodes reach it; safe to repeat."""
        joined = engine.docker("inspect", "--format", _NETWORKS, self.container)
        if _NETWORK not in json.loads(joined):
            engine.docker("network", "connect", _NETWORK, self.container)
        folder = f"{_HOSTS}/{self.host}"
        for node in nodes:
            engine.docker("exec", node, "mkdir", "-p", folder)
            engine.docker(
                *("exec", "-i", node, "cp", "/dev/stdin", f"{folder}/hosts.toml"),
                stdin=self.explanation,
            )

    def leave(self, engine: Engine) -> None:
        """Take it out of the nodes' network, which can go then."""
        with suppress(CommandError):  # it may be gone, or not be in it
            engine.docker("network", "disconnect", "--force", _NETWORK, self.container)


def find_mirror(mirror: str, engine: Engine) -> LoopbackMirror:
    """Return the container that publishes a mirror's port; raise `ClusterError` if none does."""
    host = host_of(mirror)
    port = host.partition(":")[2] or "80"
    for container in engine.containers(f"publish={port}", "status=running"):
        inner = inner_port(engine.docker("port", container), port)
        if inner is not None:
            return LoopbackMirror(host, container, inner)
    raise ClusterError(
        f"The nodes cannot reach {host}: their loopback is not this machine's, and no container of "
        f"this Docker engine publishes port {port}. Run the registry as one (`docker run --publish "
        f"127.0.0.1:{port}:5000 …`), or name the mirror by an address that the nodes reach."
    )


def inner_port(listed: str, port: str) -> int | None:
    """Return what a published port is inside, from ``docker port``; None where it is not there."""
    for line in listed.splitlines():
        inside, _, outside = line.partition(" -> ")
        number, _, protocol = inside.partition("/")
        if protocol == "tcp" and outside.rpartition(":")[2] == port:
            return int(number)
    return None
