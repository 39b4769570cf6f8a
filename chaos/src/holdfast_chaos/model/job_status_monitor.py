"""What a monitor must leave: its polls, all but the last "running", and one notification."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

#: Each step, and those that must have taken effect before it begins.
CAUSES = {
    NOTIFY_COMPLETE.name: (CHECK_JOB_STATUS.name,),
    NOTIFY_FAILURE.name: (CHECK_JOB_STATUS.name,),
}


def poll_number(text: str) -> int | None:
    """Return the number of the poll that an effect key of the check stands for, from 0."""
    parsed = EffectKey.parse(text)
    if parsed.step != CHECK_JOB_STATUS.name:
        return None
    return parsed.epoch * POLLS_PER_EPOCH + parsed.index


def polls_seen(instance: str, world: World) -> tuple[int, ...]:
    """Return the numbers of a monitor's polls by every witness, so that a lost row is missed."""
    seen = (
        poll_number(text)
        for text in (
            *(effect.key for effect in world.ledger.effects_of.get(instance, ())),
            *(attempt.key for attempt in world.ledger.attempts_of.get(instance, ())),
        )
    )
    return tuple(sorted({number for number in seen if number is not None}))


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return the effects of a monitor; how many polls it took, only the facts can say."""
    polls = polls_seen(run.instance, world) or (0,)
    last = polls[-1]
    failed = NOTIFY_FAILURE.name in world.ledger.steps_seen(run.instance)
    ended = JobStatus.FAILED if failed else JobStatus.COMPLETED
    effects = {
        key(run.instance, CHECK_JOB_STATUS.name, n % POLLS_PER_EPOCH, n // POLLS_PER_EPOCH): (
            Expected(fields(status=(ended if n == last else JobStatus.RUNNING).value))
        )
        for n in polls
    }
    notify = (NOTIFY_FAILURE if failed else NOTIFY_COMPLETE).name
    notice = key(run.instance, notify, 0, last // POLLS_PER_EPOCH)
    effects[notice] = Expected(fields(notification_id=notice))
    books = Books()
    sent = sorted(row.id for row in world.ledger.notifications if row.instance == run.instance)
    books.expect(f"notifications of {run.instance}", sent, [notice])
    return Expectation(
        effects,
        status="COMPLETED",
        output=fields(status=ended.value),
        books=tuple(books.wrong),
        books_checked=books.checked,
    )
