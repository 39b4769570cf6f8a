"""What a monitor must leave: its polls, all but the last "running", and one notification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from holdfast_chaos.facts import key
from holdfast_chaos.model.expectation import Books, Expectation, Expected, fields
from holdfast_contracts.core import EffectKey
from holdfast_contracts.job_status_monitor import (
    CHECK_JOB_STATUS,
    NOTIFY_COMPLETE,
    NOTIFY_FAILURE,
    POLLS_PER_EPOCH,
    JobStatus,
)

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World


def poll_number(text: str) -> int | None:
    """Return the number of the poll that an effect key of the check stands for, from 0."""
    parsed = EffectKey.parse(text)
    if parsed.step != CHECK_JOB_STATUS.name:
        return None
    return parsed.epoch * POLLS_PER_EPOCH + parsed.index


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return the effects of a monitor; how many polls it took, only the facts can say."""
    ledger = world.ledger
    polls = _polls(run.instance, world)
    last = polls - 1
    failed = NOTIFY_FAILURE.name in ledger.steps_seen(run.instance)
    ended = JobStatus.FAILED if failed else JobStatus.COMPLETED
    effects = {
        key(run.instance, CHECK_JOB_STATUS.name, n % POLLS_PER_EPOCH, n // POLLS_PER_EPOCH): (
            Expected(fields(status=(ended if n == last else JobStatus.RUNNING).value))
        )
        for n in range(polls)
    }
    notify = (NOTIFY_FAILURE if failed else NOTIFY_COMPLETE).name
    notice = key(run.instance, notify, 0, max(last, 0) // POLLS_PER_EPOCH)
    effects[notice] = Expected(fields(notification_id=notice))
    books = Books()
    sent = sorted(row.id for row in ledger.notifications if row.instance == run.instance)
    books.expect(f"notifications of {run.instance}", sent, [notice])
    return Expectation(
        effects,
        status="COMPLETED",
        output=fields(status=ended.value, polls=polls),
        books=tuple(books.wrong),
        books_checked=books.checked,
    )


def _polls(instance: str, world: World) -> int:
    """Count the polls by every witness, so that a lost row of the ledger is missed."""
    seen = [
        poll_number(text)
        for text in (
            *(effect.key for effect in world.ledger.effects_of.get(instance, ())),
            *(attempt.key for attempt in world.ledger.attempts_of.get(instance, ())),
        )
    ]
    highest = max((number for number in seen if number is not None), default=-1) + 1
    history = world.histories.get(instance)
    output: Any = history.output if history else None
    told = output.get("polls") if isinstance(output, Mapping) else None
    return max(highest, told if isinstance(told, int) else 0, 1)
