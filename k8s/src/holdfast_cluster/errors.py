"""What can go wrong with a cluster, worded for the person who typed the command."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster could not do what was asked; the message says what, and the way out."""


class CommandError(ClusterError):
    """A program failed; what it said is kept, for those who know what it means."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output
