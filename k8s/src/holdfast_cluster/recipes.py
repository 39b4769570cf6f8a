"""Images of a few files each: what goes in, and whether the engine has just that already."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from holdfast_cluster.debian import INPUTS
from holdfast_cluster.engine import Engine
from holdfast_local.build_view import BuildView
from holdfast_local.cache import cache_folder


@dataclass(frozen=True)
class Recipe:
    """A Dockerfile and its files; the name says the version, a label says the exact inputs."""

    reference: str
    dockerfile: str
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def inputs(self) -> str:
        """A checksum of all that decides what is in the image."""
        digest = hashlib.sha256(f"{self.reference}\0{self.dockerfile}".encode())
        for name, path in sorted(self.files.items()):
            digest.update(f"\0{name}\0{_identity(path)}".encode())
        return digest.hexdigest()[:12]


def _identity(path: Path) -> str:
    """Return what a file is: a built program by its folder, which names all its inputs."""
    if path.is_relative_to(cache_folder() / "bin"):
        return f"{path.parent.name}/{path.name}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def static_image(reference: str, program: Path, *, user: str) -> Recipe:
    """Return the recipe of an image that holds one static program and nothing else."""
    dockerfile = (
        # Manifests name some of these programs with their path, and some without.
        f"FROM scratch\nENV PATH=/\nCOPY {program.name} /{program.name}\n"
        f'USER {user}\nENTRYPOINT ["/{program.name}"]\n'
    )
    return Recipe(reference, dockerfile, {program.name: program})


def ensure_image(recipe: Recipe, engine: Engine, view: BuildView) -> str:
    """Return the image's name, built if the engine has none with these inputs."""
    if engine.image_label(recipe.reference, INPUTS) == recipe.inputs:
        return recipe.reference
    scratch_root = cache_folder() / "tmp"
    scratch_root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch_root, prefix="image-") as scratch, view:
        context = Path(scratch)
        (context / "Dockerfile").write_text(recipe.dockerfile, "utf-8")
        for name, path in recipe.files.items():
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        engine.runner.watch(
            (
                *(engine.client, "build", "--network", "none", "--pull=false", "--force-rm"),
                *("--label", f"{INPUTS}={recipe.inputs}", "--tag", recipe.reference, scratch),
            ),
            view,
            f"{recipe.reference}: image",
        )
        size = engine.image_bytes(recipe.reference) / 10**6
        view.end(f"{recipe.reference} made, {size:.0f} MB")
    return recipe.reference
