"""Small agreements between services that meet in the database, or in the scheduler.

Both sides of a lock, of a table or of a word must spell it the same way; here it is spelled once.
"""

from __future__ import annotations


def event_lock(instance: str) -> str:
    """Name the advisory lock that orders acceptance of a run's events against its decision.

    The status API holds it while it accepts an event, the deciding activity while it decides.
    Use as ``pg_advisory_xact_lock(hashtextextended(:name, 0))``.
    """
    return f"events:{instance}"


def effect_lock(key: str) -> str:
    """Name the advisory lock under which attempts of one effect take turns."""
    return f"effect:{key}"


def run_lock(instance: str) -> str:
    """Name the advisory lock that effects of a run share and that closing it holds alone."""
    return f"run:{instance}"


def word_number(word: str) -> int:
    """Return the number with which a word for the scheduler begins; later ones are larger."""
    return int(word.partition("-")[0])
