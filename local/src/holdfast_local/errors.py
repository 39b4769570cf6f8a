"""What can go wrong with a local stack, worded for the person who typed the command."""

from __future__ import annotations


class StackError(Exception):
    """The stack could not do what was asked; the message says what, and where to look."""


class NotUpError(StackError):
    """The stack is not up."""
