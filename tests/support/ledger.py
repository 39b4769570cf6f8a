"""What the ledger of a stack says of a run."""

from __future__ import annotations

from sqlalchemy import Engine, text

_KEYS = text("SELECT key FROM work.effects WHERE instance = :run AND kind = 'effect' ORDER BY seq")


def effects(db: Engine, run: str) -> list[str]:
    """Return a run's effects in the order in which they were committed, as epoch|step|index."""
    with db.connect() as connection:
        return [key.partition("|")[2] for key in connection.scalars(_KEYS, {"run": run})]


def steps(db: Engine, run: str) -> list[str]:
    """Return the steps of a run's effects, in the same order."""
    return [effect.split("|")[1] for effect in effects(db, run)]
