"""Everything that a cluster is made of: built here, or named where it can be pulled."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from holdfast_cluster.catalogue import (
    DAPR_PROGRAMS,
    NODE_BASE,
    PACKET_FILTER,
    POSTGRESQL,
    PROGRAMS,
    PYTHON,
    Catalogue,
    kubeadm_images,
)
from holdfast_cluster.commands import Runner
from holdfast_cluster.debian import ensure_debian_image
from holdfast_cluster.engine import Engine
from holdfast_cluster.machine import has_sys_resource
from holdfast_cluster.meanwhile import meanwhile
from holdfast_cluster.node_image import NodeParts, ensure_node_image
from holdfast_cluster.recipes import Recipe, ensure_image
from holdfast_cluster.registry import Choice
from holdfast_cluster.services import fill_wheelhouse
from holdfast_cluster.storage import storage_manifest
from holdfast_local.build_view import BuildView
from holdfast_local.cache import cache_folder
from holdfast_local.folders import repository
from holdfast_local.go_build import read_pin
from holdfast_local.toolchain import ensure_tools, fetching, toolchain_of
from holdfast_local.toolchain_sources import KIND, KUBERNETES, LOCAL_PATH, METRICS_SERVER

#: What is made of Debian's packages.
_BASES = (PYTHON, POSTGRESQL, PACKET_FILTER, NODE_BASE)


@dataclass(frozen=True)
class Supplies:
    """The names of the images, and whether they were built here."""

    built: bool
    #: Empty: the one that kind itself pins.
    node: str
    database: str
    metrics: str
    #: Where the services' images start from.
    python: str
    mirror: str = ""
    #: Dapr's images, where they are not the official ones.
    dapr: dict[str, str] = field(default_factory=dict)


def pulled_supplies(choice: Choice) -> Supplies:
    """Return the official images' names, on a mirror if there is one."""
    hub = f"{choice.mirror}/" if choice.mirror else ""
    library = f"{hub}library/" if choice.mirror else ""
    kubernetes = choice.mirror or "registry.k8s.io"
    version = read_pin(repository(), METRICS_SERVER).version
    return Supplies(
        built=False,
        node=f"{hub}kindest/node:{_official_node()}" if choice.mirror else "",
        database=f"{library}postgres:15-bookworm",
        metrics=f"{kubernetes}/metrics-server/metrics-server:v{version}",
        python=f"{library}python:3.11-slim-bookworm",
        mirror=choice.mirror,
    )


def _official_node() -> str:
    """Return the tag of the nodes' image that the pinned kind was released with."""
    module = toolchain_of(KIND).module_folder()
    text = (module / "pkg/apis/config/defaults/image.go").read_text("utf-8")
    return text.partition('"kindest/node:')[2].partition("@")[0].partition('"')[0]


def built_supplies(engine: Engine, view: BuildView) -> Supplies:
    """Return the images' names, built where the engine does not have them yet."""
    with meanwhile(_fetching(engine)):
        programs = ensure_tools(PROGRAMS)
    for base in _BASES:
        ensure_debian_image(base, engine, view)
    catalogue = _catalogue(programs, engine)
    recipes = [*catalogue.kubernetes(), *catalogue.addons(), *catalogue.dapr()]
    for recipe in recipes:
        ensure_image(recipe, engine, view)
    return Supplies(
        built=True,
        node=_node(catalogue, recipes, engine, view),
        database=POSTGRESQL.reference,
        metrics=catalogue.metrics_server,
        python=PYTHON.reference,
        dapr={name: catalogue.dapr_image(name) for name in DAPR_PROGRAMS},
    )


def _fetching(engine: Engine) -> list[Callable[[], object]]:
    """Return what fetches modules, Debian's packages and the services' wheels."""
    unseen = BuildView(Console(quiet=True, force_terminal=False))
    return [
        *fetching(PROGRAMS),
        *(partial(ensure_debian_image, base, engine, unseen) for base in _BASES),
        partial(fill_wheelhouse, repository()),
    ]


def _catalogue(programs: dict[str, Path], engine: Engine) -> Catalogue:
    version = f"v{read_pin(repository(), KUBERNETES).version}"
    listed = Runner(engine.log).run(
        (programs["kubeadm"], "config", "images", "list", "--kubernetes-version", version)
    )
    return Catalogue(repository(), programs, kubeadm_images(listed))


def _node(catalogue: Catalogue, recipes: list[Recipe], engine: Engine, view: BuildView) -> str:
    debian = (POSTGRESQL, PYTHON)
    images = [*(recipe.reference for recipe in recipes), *(image.reference for image in debian)]
    contents = [*(recipe.inputs for recipe in recipes), *(image.inputs for image in debian)]
    with _storage(catalogue) as storage:
        parts = NodeParts(
            version=read_pin(repository(), KUBERNETES).version,
            kind_module=toolchain_of(KIND).module_folder(),
            programs=dict(catalogue.programs),
            storage=storage,
            pause=catalogue.kubeadm["pause"],
            sys_resource=has_sys_resource(),
        )
        return ensure_node_image(parts, images, contents, engine, view)


@contextmanager
def _storage(catalogue: Catalogue) -> Iterator[Path]:
    """Give a file with the manifest of the default storage class."""
    module = toolchain_of(LOCAL_PATH).module_folder()
    folder = cache_folder() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="storage-") as scratch:
        file = Path(scratch) / "storage.yaml"
        file.write_text(storage_manifest(module, catalogue.local_path, PYTHON.reference), "utf-8")
        yield file
