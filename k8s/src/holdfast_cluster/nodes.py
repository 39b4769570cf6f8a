"""The nodes of a cluster: made whole, found half made, started again, and removed."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import ClusterError, CommandError
from holdfast_cluster.explain import explain_kind
from holdfast_cluster.folders import ClusterFolder, manifests
from holdfast_cluster.kube import Kube
from holdfast_cluster.loopback import CONTAINERD_PATCH, LoopbackMirror
from holdfast_cluster.network import Node, nodes_of, setup_script
from holdfast_local.build_view import BuildView

_LABEL = "io.x-k8s.kind.cluster"


class Condition(StrEnum):
    """What there is of a cluster."""

    NONE = "none"
    HALF = "half made"
    STOPPED = "stopped"
    WHOLE = "whole"


@dataclass(frozen=True)
class Made:
    """What the nodes were made from, as it is written down when they are whole."""

    image: str
    port: int
    nodes: tuple[str, ...]
    built: bool
    near: LoopbackMirror | None = None

    def write(self, file: Path) -> None:
        """Write it down whole or not at all."""
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        beside.replace(file)


def read_made(file: Path) -> Made | None:
    """Return what was written down, or None where nothing that can be read was."""
    try:
        text = json.loads(file.read_text("utf-8"))
        near = text["near"] if "near" in text else None  # noqa: SIM401 - it may be a list
        return Made(
            text["image"],
            text["port"],
            tuple(text["nodes"]),
            text["built"],
            None if near is None else LoopbackMirror(**near),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def condition(made: Made | None, containers: list[str], running: list[str]) -> Condition:
    """Tell what there is of a cluster, from what was written down and the nodes' containers."""
    if made is None:
        return Condition.HALF if containers else Condition.NONE
    if not containers:
        return Condition.NONE
    if set(containers) != set(made.nodes):
        return Condition.HALF
    return Condition.WHOLE if set(running) == set(made.nodes) else Condition.STOPPED


def wanted_nodes(name: str, configuration: dict[str, object]) -> tuple[str, ...]:
    """Return the names that kind gives the nodes of a configuration."""
    counts: dict[str, int] = {}
    names = []
    nodes = configuration["nodes"]
    if not isinstance(nodes, list):
        raise ClusterError("k8s/kind.yaml lists no nodes: restore it with git.")
    for node in nodes:
        role = node["role"]
        counts[role] = counts.get(role, 0) + 1
        names.append(f"{name}-{role}{counts[role] if counts[role] > 1 else ''}")
    return tuple(sorted(names))


def kind_configuration(
    text: str, port: int, *, built: bool, near: bool = False
) -> dict[str, object]:
    """Return kind's configuration for a port, a kind of network, and perhaps a mirror near by."""
    configuration: dict[str, object] = yaml.safe_load(text)
    networking = configuration["networking"]
    nodes = configuration["nodes"]
    if not isinstance(networking, dict) or not isinstance(nodes, list):
        raise ClusterError("k8s/kind.yaml has no networking or no nodes: restore it with git.")
    if built:
        networking["disableDefaultCNI"] = True
    if near:
        configuration["containerdConfigPatches"] = [CONTAINERD_PATCH]
    for node in nodes:
        for mapping in node.get("extraPortMappings", ()):
            mapping["hostPort"] = port
    return configuration


@dataclass(frozen=True)
class Nodes:
    """The nodes of one cluster in one engine."""

    folder: ClusterFolder
    engine: Engine
    kind: Path
    kube: Kube

    def condition(self) -> Condition:
        """Tell what there is of the cluster."""
        return condition(
            read_made(self.folder.made), self._containers(), self._containers("running")
        )

    def create(
        self,
        image: str,
        port: int,
        view: BuildView,
        *,
        built: bool,
        near: LoopbackMirror | None = None,
    ) -> None:
        """Make all nodes; what is left of an earlier try is removed first."""
        self.delete()
        self.folder.create()
        text = (manifests() / "kind.yaml").read_text("utf-8")
        configuration = kind_configuration(text, port, built=built, near=near is not None)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file, view:
            yaml.safe_dump(configuration, file)
            file.flush()
            try:
                self.engine.runner.watch(
                    (
                        *(self.kind, "create", "cluster", "--name", self.folder.name),
                        *("--config", file.name, "--kubeconfig", self.folder.kubeconfig),
                        *(("--image", image) if image else ()),
                    ),
                    view,
                    "Nodes: starting",
                )
            except CommandError as error:
                raise ClusterError(explain_kind(error.output, port, self.folder.log)) from error
            view.end("Nodes started")
        if built:
            self.connect()
        self.kube.wait_for_nodes()
        names = wanted_nodes(self.folder.name, configuration)
        Made(image, port, names, built, near).write(self.folder.made)

    def start(self) -> None:
        """Start nodes that had stopped, and wait for them."""
        for name in self._containers("exited"):
            self.engine.docker("start", name)
        made = read_made(self.folder.made)
        self._wait_for_api()
        if made is not None and made.built:
            self.connect()
        self.kube.wait_for_nodes()

    def connect(self) -> None:
        """Give every node its range of the pods' network, and the way to the others'."""
        nodes = self._nodes_with_ranges()
        for node in nodes:
            self.engine.docker(
                "exec", "-i", node.name, "/bin/sh", stdin=setup_script(node, nodes), seconds=60
            )

    def introduce(self, near: LoopbackMirror) -> None:
        """Let nodes that were made for it reach a mirror; its container may be another by now."""
        made = read_made(self.folder.made)
        if made is None or made.near is None or made.near.host != near.host:
            raise ClusterError(
                f"The nodes were made without the mirror {near.host}: `make cluster-down cluster` "
                f"makes them anew."
            )
        near.introduce(self.engine, self._containers())
        replace(made, near=near).write(self.folder.made)

    def delete(self) -> None:
        """Remove the nodes with their volumes, and the network that only they used."""
        made = read_made(self.folder.made)
        self.folder.made.unlink(missing_ok=True)
        if self._containers():
            self.engine.runner.run(
                (
                    *(self.kind, "delete", "cluster", "--name", self.folder.name),
                    *("--kubeconfig", self.folder.kubeconfig),
                ),
                what="kind delete",
            )
        self.folder.kubeconfig.unlink(missing_ok=True)
        if not self.engine.containers(f"label={_LABEL}"):
            if made is not None and made.near is not None:
                made.near.leave(self.engine)
            with suppress(CommandError):  # another's container may be in it
                self.engine.docker("network", "rm", "kind")

    def _containers(self, status: str = "") -> list[str]:
        filters = [f"label={_LABEL}={self.folder.name}"]
        if status:
            filters.append(f"status={status}")
        return self.engine.containers(*filters)

    @retry(
        retry=retry_if_exception_type(CommandError),
        stop=stop_after_delay(90),
        wait=wait_fixed(1),
        reraise=True,
    )
    def _wait_for_api(self) -> None:
        self.kube.run("get", "--raw", "/readyz", seconds=10)

    @retry(
        retry=retry_if_exception_type((CommandError, ClusterError)),
        stop=stop_after_delay(60),
        wait=wait_fixed(1),
        reraise=True,
    )
    def _nodes_with_ranges(self) -> list[Node]:
        nodes = nodes_of(self.kube.run("get", "nodes", "--output", "json"))
        if not nodes or not all(node.pods for node in nodes):
            raise ClusterError("The nodes were given no addresses for pods within a minute.")
        return nodes
