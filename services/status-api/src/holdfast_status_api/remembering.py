"""Notice when the scheduler, or the database, is not the one that it was.

Timers and steps are in the scheduler, histories in the database, and each may be lost, or put back
from a backup, without the other. So both keep the same words, the latest and the one before, and a
new one replaces the older of them every now and then.

Two, because the latest alone proves nothing until it is known to have arrived: a sidecar that waits
for its scheduler brings it, late, also to one that has lost all else.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from prometheus_client import Counter
from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from holdfast_contracts.agreements import word_number
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.tables import scheduler_memory

_log = structlog.get_logger()


class Loss(StrEnum):
    """What does not fit."""

    #: The scheduler has no word, or none from before: its volumes are gone.
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

    @property
    def needed(self) -> set[str]:
        """What the scheduler holds, unless it has lost its memory."""
        before = set() if self.word_before is None else {self.word_before}
        return before | ({self.word} if self.confirmed else set())


def loss_of(kept: Kept | None, held: Collection[str]) -> Loss | None:
    """Return what is wrong, from what the database keeps and what the scheduler holds."""
    if kept is None:
        # An empty installation; or a database from before the scheduler was first told.
        return Loss.DATABASE_OLDER if held else None
    if any(word_number(word) > kept.number for word in held):
        return Loss.DATABASE_OLDER
    if kept.needed <= set(held):
        return None
    # What came after the word before may still have been on its way, to whatever came back.
    known = kept.number if kept.word_before is None else word_number(kept.word_before)
    older = [word for word in held if word != kept.word and word_number(word) <= known]
    return Loss.SCHEDULER_OLDER if older else Loss.SCHEDULER_LOST


def following(kept: Kept | None, held: Collection[str], loss: Loss | None) -> Kept:
    """Return what is to be kept next: a new word, and one that the scheduler certainly holds."""
    number = 1 + max(0 if kept is None else kept.number, *map(word_number, held), 0)
    before = None
    if kept is not None and loss is None:
        before = kept.word if kept.word in held else kept.word_before
    if before is not None and _place(number) == _place(word_number(before)):
        number += 1  # the word before stays where it is
    return Kept(number, f"{number}-{uuid.uuid4().hex}", before, confirmed=False)


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
        before = connection.execute(select(scheduler_memory)).one_or_none()
    held = orchestrator.recall()
    with engine.begin() as connection:
        row = connection.execute(select(scheduler_memory).with_for_update()).one_or_none()
        if row != before:
            return  # this process was held up, and another was quicker
        kept = (
            None
            if row is None
            else Kept(row.number, row.word, row.word_before, row.told_at is not None)
        )
        loss = loss_of(kept, held)
        new = following(kept, held, loss)
        values = {
            "number": new.number,
            "word": new.word,
            "word_before": new.word_before,
            "told_at": None,
        }
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
    orchestrator.remember(new.word, _place(new.number))
    with engine.begin() as connection:
        connection.execute(
            update(scheduler_memory)
            .where(table.word == new.word)
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


def _place(number: int) -> int:
    """Return which of the scheduler's two words is replaced."""
    return number % 2
