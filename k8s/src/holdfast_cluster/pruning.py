"""Images that newer ones have replaced, removed before they fill the disk."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import CommandError

#: The nodes' image is large, and made anew with every change of what is in it.
_KEPT = {
    "holdfast/node": 1,
    "holdfast/node-bare": 1,
    "holdfast/node-base": 1,
    "holdfast/packet-filter": 1,
    "holdfast/postgresql": 1,
    "holdfast/python": 1,
    # The way back after a bad change.
    "holdfast/orchestrator": 3,
    "holdfast/activity-worker": 3,
    "holdfast/status-api": 3,
}
#: What fills the nodes' image, and stays only if its command was killed.
FILLING = "holdfast-filling-"


def replaced(tags: Iterable[str], kept: int) -> list[str]:
    """Return the tags that are more than the number to keep, given newest first."""
    return list(tags)[kept:]


def prune_images(engine: Engine) -> None:
    """Remove what newer images of ours have replaced; one that is in use stays."""
    for name, kept in _KEPT.items():
        listed = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name)
        for reference in replaced(listed.split(), kept):
            with suppress(CommandError):  # in use
                engine.docker("image", "rm", reference)


def remove_leftovers(engine: Engine) -> None:
    """Remove the containers that a killed command has left."""
    for name in engine.containers(f"name={FILLING}"):
        with suppress(CommandError):
            engine.docker("rm", "--force", "--volumes", name)
