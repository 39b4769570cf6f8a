"""Notice when the scheduler, or the database, is not the one that it was.

Timers and steps are in the scheduler, histories in the database, and each may be lost, or put back
from a backup, without the other. So both keep the same word, which is changed every now and then.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from prometheus_client import Counter
from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.tables import scheduler_memory

_log = structlog.get_logger()


class Loss(StrEnum):
    """What does not fit."""

    #: The scheduler has no word: its volumes are gone.
    SCHEDULER_LOST = "scheduler_lost"
    #: The scheduler's word is older: it was put back from a backup.
    SCHEDULER_OLDER = "scheduler_older"
    #: The scheduler's word is newer: the database was put back from a backup.
    DATABASE_OLDER = "database_older"


_LOSSES = Counter(
    "holdfast_scheduler_losses_total",
    "How often the scheduler's memory did not fit the database's.",
    ("loss",),
)
for _loss in Loss:
    _LOSSES.labels(_loss)  # a series that begins with 1 has no increase


@dataclass(frozen=True)
class Memory:
    """The last loss that was noticed, and when."""

    forgot_at: datetime | None = None
    loss: Loss | None = None


@dataclass(frozen=True)
class Kept:
    """What the database has: the word, the one before, and whether the scheduler has confirmed."""

    number: int
    word: str
    word_before: str | None
    confirmed: bool


def loss_of(kept: Kept | None, held: str | None) -> Loss | None:
    """Return what is wrong, from what the database keeps and what the scheduler holds."""
    if kept is None:
        # An empty installation; or a database from before the scheduler was first told.
        return None if held is None else Loss.DATABASE_OLDER
    if held is None:
        return Loss.SCHEDULER_LOST if kept.confirmed or kept.word_before else None
    if held in {kept.word, kept.word_before}:
        return None
    return Loss.DATABASE_OLDER if _number(held) > kept.number else Loss.SCHEDULER_OLDER


def check(engine: Engine, orchestrator: Orchestrator, every_seconds: float) -> None:
    """Compare the words, note a loss, and change the word; no more often than that.

    One process at a time may do it. Raises `UnavailableError` while the scheduler cannot be asked;
    then nothing has changed.
    """
    table = scheduler_memory.c
    lately = table.told_at > func.clock_timestamp() - timedelta(seconds=every_seconds)
    with engine.connect() as connection:
        if connection.scalar(select(lately)):
            return
    held = orchestrator.recall()
    with engine.begin() as connection:
        row = connection.execute(select(scheduler_memory)).one_or_none()
        kept = (
            None
            if row is None
            else Kept(row.number, row.word, row.word_before, row.told_at is not None)
        )
        number = 1 + max(0 if kept is None else kept.number, 0 if held is None else _number(held))
        word = f"{number}-{uuid.uuid4().hex}"
        values = {"number": number, "word": word, "word_before": held, "told_at": None}
        loss = loss_of(kept, held)
        if loss is not None:
            values |= {"forgot_at": func.clock_timestamp(), "loss": loss}
        connection.execute(
            insert(scheduler_memory)
            .values(values)
            .on_conflict_do_update(index_elements=[table.single], set_=values)
        )
    if loss is not None:
        _LOSSES.labels(loss).inc()
        _log.error("the scheduler and the database do not fit: run holdfast doctor", loss=loss)
    orchestrator.remember(word)
    with engine.begin() as connection:
        connection.execute(
            update(scheduler_memory)
            .where(table.word == word)
            .values(told_at=func.clock_timestamp())
        )


def memory_of(engine: Engine) -> Memory:
    """Return the last loss."""
    query = select(scheduler_memory.c.forgot_at, scheduler_memory.c.loss)
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or row.loss is None:
        return Memory()
    return Memory(row.forgot_at, Loss(row.loss))


def _number(word: str) -> int:
    return int(word.partition("-")[0])
