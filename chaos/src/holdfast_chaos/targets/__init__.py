"""What faults are done to: a set of components that can be identified, killed, frozen, cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from holdfast_chaos.world import Deed

__all__ = ["Armed", "Target", "TargetNotReadyError"]


class TargetNotReadyError(Exception):
    """A component did not come back in time; the text says which, and what was last seen."""


class Armed(Protocol):
    """A deed for which all has been looked up, so that nothing but the strike itself takes time."""

    @property
    def struck(self) -> tuple[str, ...]:
        """Which pods or processes it strikes, as the ledger calls them; none: all of them."""

    @property
    def spared(self) -> tuple[str, ...]:
        """Which of the components have nothing in the place that it strikes."""

    def strike(self) -> None:
        """Do it; return when it is done, or, of a deed that lasts, when it is seen to be."""

    def heal(self) -> tuple[str, ...]:
        """End it, and return the components that were seen under it and are free of it."""


class Target(Protocol):
    """A running Holdfast, seen by who breaks it.

    An identity changes when a component is replaced, and only then: a process id on one machine,
    the UIDs of its pods with their containers' restart counts in a cluster.
    """

    @property
    def name(self) -> str:
        """What the certificate calls the target."""

    def components(self) -> Sequence[str]:
        """Return the names of everything that can be struck."""

    def deeds(self) -> frozenset[Deed]:
        """Return what can be done to them here."""

    def identity(self, component: str) -> str | None:
        """Return who the component is now, or none while it is away."""

    def arm(
        self,
        deed: Deed,
        components: Sequence[str],
        *,
        one: bool = False,
        prefer: Sequence[str] = (),
    ) -> Armed:
        """Prepare a deed: to all pods of the components, or to ``one`` of each.

        Of several, one of those is taken that are to be preferred.
        """

    def sessions(self, component: str) -> str | None:
        """Return the prefix of the component's database session names; none: it has none."""

    def wait_ready(self, components: Sequence[str], seconds: float) -> None:
        """Return when all components serve again; raise ``TargetNotReadyError`` in time."""
