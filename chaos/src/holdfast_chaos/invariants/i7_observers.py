"""I7: whoever looks sees a run go forward only, and a promise never disappears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos.histories import TERMINAL
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.observations import HTTP_NOT_FOUND, HTTP_OK

if TYPE_CHECKING:
    from holdfast_chaos.observations import Poll
    from holdfast_chaos.world import World

ID = "I7"
TITLE = "No observer sees a status go back, a promise vanish, or an end change"

#: "Cancelled" is the API's word for a run that completed by undoing what it had done.
ENDS = TERMINAL | {"CANCELLED"}
_RANK = {"PENDING": 0, "RUNNING": 1, "SUSPENDED": 1, "STALLED": 1, **dict.fromkeys(ENDS, 2)}


def check(world: World) -> InvariantResult:
    """Check each run's status reads in the order in which they were made."""
    promised = world.observations.accepted_at
    tally = Tally(due=len(promised))
    for instance, since in promised.items():
        polls = world.observations.polls_of.get(instance, ())
        for poll in polls:
            if poll.sent_at >= since:
                tally.check(
                    poll.http != HTTP_NOT_FOUND,
                    f"{instance}: 404 at {poll.sent_at}, accepted at {since}",
                )
        _check_order([poll for poll in polls if poll.http == HTTP_OK], tally)
        _check_end(instance, polls, world, tally)
    return tally.result(ID, TITLE)


def _check_order(polls: list[Poll], tally: Tally) -> None:
    """Check that of two reads, one after the other, the later never shows less."""
    furthest: Poll | None = None
    for poll in polls:
        rank = _rank(poll)
        if furthest is None:
            furthest = poll
        elif poll.sent_at >= furthest.received_at:
            back = rank < _rank(furthest)
            tally.check(
                not back, f"{poll.instance}: {furthest.state}, then {poll.state} at {poll.sent_at}"
            )
            if furthest.state in ENDS and not back:
                tally.check(
                    (poll.state, poll.output) == (furthest.state, furthest.output),
                    f"{poll.instance}: ended {furthest.state} with {furthest.output!r}, "
                    f"later {poll.state} with {poll.output!r}",
                )
            if rank >= _rank(furthest):
                furthest = poll


def _check_end(instance: str, polls: tuple[Poll, ...], world: World, tally: Tally) -> None:
    """Check that the client's last word and the engine's are the same."""
    history = world.histories.get(instance)
    ended = [poll for poll in polls if poll.http == HTTP_OK and poll.state in ENDS]
    if history is None or not history.terminal or not ended:
        return
    seen = ended[-1].state
    tally.check(
        seen == history.status or (seen == "CANCELLED" and history.status == "COMPLETED"),
        f"{instance}: the API says {seen}, the engine {history.status}",
    )


def _rank(poll: Poll) -> int:
    return _RANK.get(poll.state or "", -1)
