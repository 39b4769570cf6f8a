"""What faults are done to: a set of components that can be identified, killed and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Target", "TargetNotReadyError"]


class TargetNotReadyError(Exception):
    """A component did not come back in time; the text says which, and what was last seen."""


class Target(Protocol):
    """A running Holdfast, seen by who breaks it.

    An identity changes when a component is replaced, and only then: a process id on one machine,
    a pod's UID with its container's restart count in a cluster.
    """

    @property
    def name(self) -> str:
        """What the certificate calls the target."""

    def components(self) -> Sequence[str]:
        """Return the names of everything that can be struck."""

    def identity(self, component: str) -> str | None:
        """Return who the component is now, or none while it is away."""

    def kill(self, components: Sequence[str]) -> None:
        """End the components at once, with SIGKILL; return when the signals are sent."""

    def freeze(self, components: Sequence[str]) -> None:
        """Stop the components where they stand (SIGSTOP) and see that they are stopped."""

    def thaw(self, components: Sequence[str]) -> None:
        """Let frozen components go on (SIGCONT) and see that they run."""

    def sessions(self, component: str) -> str | None:
        """Return the prefix of the component's database session names; none: it has none."""

    def wait_ready(self, components: Sequence[str], seconds: float) -> None:
        """Return when all components serve again; raise ``TargetNotReadyError`` in time."""
