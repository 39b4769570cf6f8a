"""The failures that activities raise on purpose, and what a workflow makes of each.

The engine hands a workflow the name of the exception's class and its text, no more. So the
classes are here, once, and workflows ask `is_permanent` and `is_unavailable`.
"""

from __future__ import annotations


class ActivityError(Exception):
    """A failure that another attempt may cure; counted against the retry policy."""


class UnavailableError(ActivityError):
    """A dependency is away. Says nothing about the work: retried until it is back, not counted."""


class PermanentError(ActivityError):
    """A failure that no further attempt can cure; the workflow gets it at once."""


class InvalidValueError(ActivityError):
    """A step was given a value that it is not defined for."""


class NotFoundError(PermanentError):
    """The row that a step is about does not exist."""


class SoldOutError(PermanentError):
    """Nothing is left of what a trip wants to book."""


class StepCancelledError(PermanentError):
    """The step was undone before this attempt of it arrived; it must not happen any more."""


class RunClosedError(PermanentError):
    """The run has ended; its keys take no new effect."""


class DivergenceError(PermanentError):
    """One effect key came with two different payloads: a defect, recorded and never taken."""


_PERMANENT = {
    error.__name__
    for error in (
        PermanentError,
        NotFoundError,
        SoldOutError,
        StepCancelledError,
        RunClosedError,
        DivergenceError,
    )
}


def is_permanent(error_type: str) -> bool:
    """Tell whether a failure of that class can be cured by trying again."""
    return error_type in _PERMANENT


def is_unavailable(error_type: str) -> bool:
    """Tell whether a failure of that class only says that a dependency is away."""
    return error_type == UnavailableError.__name__


def is_run_closed(error_type: str) -> bool:
    """Tell whether a failure of that class says that the run has ended, by the ledger's word."""
    return error_type == RunClosedError.__name__
