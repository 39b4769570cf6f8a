"""The three services' images: built from this clone, and brought to the nodes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from holdfast_cluster.debian import INPUTS
from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import ClusterError
from holdfast_local.build_view import BuildView

SERVICES = ("orchestrator", "activity-worker", "status-api")
#: What services/Dockerfile copies, and itself.
_SOURCES = (
    "LICENSE",
    "contracts",
    "requirements",
    "servicekit",
    "services",
    "tools/image.py",
    "tools/wheelhouse.py",
)


def image_name(service: str) -> str:
    """Return the name of a service's image, without its tag."""
    return f"holdfast/{service}"


def source_files(root: Path) -> list[Path]:
    """Return the files that decide what is in the images, as git sees them."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_SOURCES],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0:
        names = {name for name in asked.stdout.split("\0") if name}
        return sorted(path for path in (root / name for name in names) if path.is_file())
    return sorted(_walked(root))  # an unpacked archive has no git


def _walked(root: Path) -> Iterable[Path]:
    for name in _SOURCES:
        place = root / name
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def content_tag(root: Path, base: str) -> str:
    """Return a tag that is another one for every other content."""
    digest = hashlib.sha256(base.encode())
    for path in source_files(root):
        mode = "x" if os.access(path, os.X_OK) else "-"
        digest.update(f"\0{path.relative_to(root)}\0{mode}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def build_services(root: Path, base: str, engine: Engine, view: BuildView) -> dict[str, str]:
    """Return each service's image, built if the engine has none of this content."""
    tag = content_tag(root, base)
    references = {service: f"{image_name(service)}:{tag}" for service in SERVICES}
    missing = [
        service
        for service, reference in references.items()
        if engine.image_label(reference, INPUTS) != tag
    ]
    if not missing:
        return references
    if not (root / "services" / "Dockerfile").is_file():
        raise ClusterError("services/Dockerfile is not there: restore it with git.")
    with view:
        view.begin("Wheels: downloading", "")
        fill_wheelhouse(root)
        view.end("Wheels are there")
        for service in missing:
            engine.runner.watch(
                (
                    *(engine.client, "build", *build_options(root, service, base)),
                    *("--label", f"{INPUTS}={tag}", "--tag", references[service], root),
                ),
                view,
                f"{references[service]}: image",
            )
            size = engine.image_bytes(references[service]) / 10**6
            view.end(f"{references[service]} made, {size:.0f} MB")
    return references


def build_options(root: Path, service: str, base: str) -> tuple[str | Path, ...]:
    """Return what makes ``docker build`` build a service."""
    return (
        *("--file", root / "services" / "Dockerfile"),
        *("--target", service, "--build-arg", f"BASE={base}"),
        # Where the base was made here there is nothing to pull, and no network.
        *(("--network", "none") if base.startswith("holdfast/") else ()),
    )


def fill_wheelhouse(root: Path) -> None:
    """Fetch the wheels that the images are built from, unless they are there."""
    done = subprocess.run(
        [sys.executable, "tools/wheelhouse.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ClusterError(
            f"The services' wheels cannot be downloaded: connect to the network, or set pip's "
            f"index-url to one that you can reach ({lines[-1] if lines else 'pip said nothing'})"
        )


def load_services(
    name: str, references: Iterable[str], kind: Path, engine: Engine, view: BuildView
) -> None:
    """Bring images to every worker that does not have them; the services run nowhere else."""
    label = f"label=io.x-k8s.kind.cluster={name}"
    workers = engine.containers(label, "label=io.x-k8s.kind.role=worker")
    with view:
        engine.runner.watch(
            (
                *(kind, "load", "docker-image", "--name", name),
                *("--nodes", ",".join(workers), *references),
            ),
            view,
            "Services' images: copying to the nodes",
        )
        view.end("Services' images are on the nodes")
