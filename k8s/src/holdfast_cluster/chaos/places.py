"""Where schedules can be played, and how each place is entered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from holdfast_chaos.site import Site
from holdfast_cluster.chaos.any_site import any_site
from holdfast_cluster.chaos.cluster_site import cluster_site
from holdfast_cluster.chaos.local_site import STACK, local_site


class On(StrEnum):
    """Where schedules are played."""

    CLUSTER = "cluster"
    LOCAL = "local"


@dataclass(frozen=True)
class Place:
    """One of them, named so that another process finds it again."""

    on: On = On.CLUSTER
    #: Of the clusters that this clone made.
    cluster: str = "holdfast"
    #: The stack of this machine that is made for it.
    stack: str = STACK
    #: A file that names any other cluster; with it, the others do not matter.
    site: Path | None = None

    @property
    def label(self) -> str:
        """What folders of what was played there are called."""
        return self.on.value if self.site is None else self.site.stem


@contextmanager
def open_site(place: Place) -> Iterator[Site]:
    """Enter a place for as long as the block lasts."""
    with _way(place) as site:
        yield site


def _way(place: Place) -> AbstractContextManager[Site]:
    if place.site is not None:
        return any_site(place.site)
    return local_site(place.stack) if place.on is On.LOCAL else cluster_site(place.cluster)
