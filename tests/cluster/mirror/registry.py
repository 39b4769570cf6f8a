"""Run the registry, and fill it with this clone's images under the names of the official ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from holdfast_cluster import network
from holdfast_cluster.catalogue import DAPR_PROGRAMS, PYTHON
from holdfast_cluster.cluster import dapr_version
from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import CommandError
from holdfast_cluster.recipes import Recipe, ensure_image
from holdfast_cluster.registry import Choice, is_registry
from holdfast_cluster.supplies import Supplies, built_supplies, pulled_supplies
from holdfast_local.build_view import BuildView
from holdfast_local.go_build import read_pin
from holdfast_local.toolchain import ensure_tools
from holdfast_local.toolchain_sources import DISTRIBUTION
from tests.support.clone import ROOT
from tests.support.postgres import free_port
from tests.support.waiting import eventually

NAME = "holdfast-test-mirror"
_HERE = Path(__file__).parent
_INNER_PORT = 5000
_CONFIGURATION = {
    "version": 0.1,
    "log": {"level": "warn", "accesslog": {"disabled": True}},
    "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}},
    "http": {"addr": f":{_INNER_PORT}"},
}


@dataclass(frozen=True)
class Mirror:
    """A registry on loopback that has every official image that a cluster pulls."""

    host: str
    engine: Engine
    #: The official names, on this mirror.
    names: Supplies

    @property
    def node(self) -> str:
        """The nodes' image."""
        return self.names.node


@contextmanager
def running_mirror(engine: Engine) -> Iterator[Mirror]:
    """Give a mirror that has all it must have, and nothing of it in the engine; then end it."""
    view = BuildView(Console(stderr=True))
    host = f"127.0.0.1:{free_port()}"
    _remove(engine)
    # An engine that `make cluster` has started has no network of its own.
    engine.docker("network", "create", NAME)
    engine.docker(
        *("run", "--detach", "--name", NAME, "--publish", f"{host}:{_INNER_PORT}"),
        *("--network", NAME, "--volume", "/var/lib/registry", _registry_image(engine, view)),
        *("serve", "/configuration.yaml"),
    )
    try:
        eventually("the registry answers", lambda: is_registry(f"http://{host}"), seconds=30)
        names = pulled_supplies(Choice(pulled=True, mirror=host, reason="a test"))
        _fill(engine, view, names)
        yield Mirror(host, engine, names)
    finally:
        _remove(engine)
        listed = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
        for image in listed.split():
            if image.startswith(f"{host}/"):
                with suppress(CommandError):  # the nodes that a failed test has left use it
                    engine.docker("image", "rm", image)


def _remove(engine: Engine) -> None:
    with suppress(CommandError):
        engine.docker("rm", "--force", "--volumes", NAME)
    with suppress(CommandError):
        engine.docker("network", "rm", NAME)


def _registry_image(engine: Engine, view: BuildView) -> str:
    program = ensure_tools(("registry",))["registry"]
    with tempfile.TemporaryDirectory() as scratch:
        configuration = Path(scratch) / "configuration.yaml"
        configuration.write_text(yaml.safe_dump(_CONFIGURATION), "utf-8")
        recipe = Recipe(
            f"{NAME}:{read_pin(ROOT, DISTRIBUTION).version}",
            "FROM scratch\nCOPY registry /registry\nCOPY configuration.yaml /configuration.yaml\n"
            'ENTRYPOINT ["/registry"]\n',
            {"registry": program, "configuration.yaml": configuration},
        )
        return ensure_image(recipe, engine, view)


def _fill(engine: Engine, view: BuildView, names: Supplies) -> None:
    built = built_supplies(engine, view)
    images = {
        names.node: _node_with_a_network(engine, view, built.node),
        names.database: built.database,
        names.metrics: built.metrics,
        names.python: built.python,
    }
    for name in DAPR_PROGRAMS:
        images[f"{names.mirror}/dapr/{name}:{dapr_version()}"] = built.dapr[name]
    for official, ours in images.items():
        engine.docker("tag", ours, official)
        engine.docker("push", "--quiet", official, seconds=900)
        engine.docker("rmi", "--no-prune", official)


def _node_with_a_network(engine: Engine, view: BuildView, node: str) -> str:
    documents = list(yaml.safe_load_all((_HERE / "network.yaml").read_text("utf-8")))
    programs = {"network.py": _HERE / "network.py", "wiring.py": Path(network.__file__)}
    for document in documents:
        if document["kind"] == "ConfigMap":
            document["data"] = {name: file.read_text() for name, file in programs.items()}
        if document["kind"] == "DaemonSet":
            [container] = document["spec"]["template"]["spec"]["containers"]
            container["image"] = PYTHON.reference
    with tempfile.TemporaryDirectory() as scratch:
        manifest = Path(scratch) / "default-cni.yaml"
        manifest.write_text(yaml.safe_dump_all(documents), "utf-8")
        recipe = Recipe(
            f"{NAME}-node:{node.rpartition(':')[2]}",
            f"FROM {node}\nCOPY default-cni.yaml /kind/manifests/default-cni.yaml\n",
            {"default-cni.yaml": manifest},
        )
        return ensure_image(recipe, engine, view)
