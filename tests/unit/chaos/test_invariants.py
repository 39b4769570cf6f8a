"""A clean world passes every invariant; breaking one thing turns exactly its invariant red."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from holdfast_chaos import facts
from holdfast_chaos.invariants import ALL, check_all
from holdfast_chaos.observations import NO_ANSWER, EventSeen, Observations, Poll
from holdfast_chaos.world import Aim, Deed, World
from tests.unit.chaos.breaking import (
    Break,
    agreed,
    answer,
    append,
    both,
    drop,
    edit,
    fault,
    forget,
    history,
    ledger,
    returned,
    seen,
    struck_again,
    swap,
    told,
    twice,
)
from tests.unit.chaos.script import Script, clean

HOUR = timedelta(hours=1)


@cache
def world() -> World:
    return clean()


def red(broken: World) -> set[str]:
    return {result.id for result in check_all(broken) if not result.holds}


def k(instance: str, step: str, index: int = 0) -> str:
    return f"{instance}|0|{step}|{index}"


def test_every_invariant_holds_in_a_clean_world_and_checks_facts() -> None:
    for result in check_all(world()):
        assert result.violations == ()
        assert result.applies
        assert result.facts > 0


def test_nothing_applies_to_an_empty_workload() -> None:
    empty = World((), facts.LedgerFacts(), {}, (), Observations())
    assert not any(result.applies or result.violations for result in check_all(empty))


def test_a_check_that_found_nothing_to_check_fails() -> None:
    script = Script()
    script.chain("chain", 1)
    blind = seen("polls", lambda _: ())(script.world())
    assert red(blind) == {"I7"}


# I1

STARTS: dict[str, Break] = {
    "request row lost": drop("requests", instance="chain-1"),
    "request row doubled": twice("requests", instance="chain-1"),
    "listed twice": lambda w: replace(w, listed=(*w.listed, "chain-1")),
    "not listed": lambda w: replace(
        w,
        listed=tuple(n for n in w.listed if n != "chain-1"),
        ledger=replace(
            w.ledger, engine_rows=tuple(n for n in w.ledger.engine_rows if n != "chain-1")
        ),
    ),
    "run that nobody asked for": lambda w: replace(w, listed=(*w.listed, "stranger")),
    "history lost": lambda w: replace(
        w, histories={n: h for n, h in w.histories.items() if n != "chain-1"}
    ),
    "ran another workflow": history("chain-1", {"workflow": "book_trip"}),
    "not over": history("chain-1", {"status": "RUNNING"}),
    "over too late": told(
        "chain-1",
        lambda e: replace(e, timestamp=e.timestamp + HOUR) if e.type.endswith("COMPLETED") else e,
    ),
    "never over": told("chain-1", lambda e: None if e.type == "EXECUTION_COMPLETED" else e),
    "not closed": drop("closed_runs", instance="chain-1"),
}

# I2


def _all_tell(value: int) -> Break:
    """Ledger, history and output agree on a wrong result of the first step."""
    return both(
        edit("effects", {"result": {"value": value}}, key=k("chain-1", "step1")),
        answer("chain-1", "step1", result={"value": value}),
    )


def _failed(instance: str) -> Break:
    return both(
        history(instance, {"status": "FAILED", "failure": {"type": "X", "message": "…"}}),
        seen(
            "polls",
            lambda polls: [
                replace(p, state="FAILED")
                if p.instance == instance and p.state == "COMPLETED"
                else p
                for p in polls
            ],
        ),
    )


EFFECTS: dict[str, Break] = {
    **{
        f"ledger row deleted: {key}": drop("effects", key=key)
        for key in (
            k("chain-1", "step1"),
            k("chain-1", "step3"),
            k("chain-neg", "error_handler"),
            k("small", "get_work_batch"),
            k("small", "process_work_item", 1),
            k("large", "process_work_item", 129),
            k("large", "process_results"),
            k("large", "close_run", 3),
            k("watch", "check_job_status", 1),
            k("watch", "check_job_status", 3),
            k("gone", "notify_failure"),
            "long-watch|1|check_job_status|2",
            k("small-order", "auto_approve_activity"),
            k("approved", "record_decision"),
            k("approved", "process_approval_activity"),
            k("timed-out", "handle_timeout_activity"),
            k("trip", "book_hotel"),
            k("trip", "book_car"),
            k("sold-out", "book_hotel"),
            k("sold-out", "book_car"),  # the claim
            k("sold-out", "cancel_car"),
            k("sold-out", "cancel_hotel"),
            k("cancelled", "cancel_flight"),
            k("cancelled-at-once", "close_run"),
            k("after-kill", "step2"),
        )
    },
    "random key": edit(
        "effects", {"key": k("chain-1", "4f6a"), "step": "4f6a"}, key=k("chain-1", "step2")
    ),
    "effect done twice under another key": twice(
        "effects",
        {"key": k("chain-1", "step1", 1), "seq": 10**6, "index": 1},
        key=k("chain-1", "step1"),
    ),
    "wrong result that all agree on": _all_tell(3),
    "no result": both(
        edit("effects", {"result": None}, key=k("chain-1", "step1")),
        answer("chain-1", "step1", result=None),
    ),
    "a step that is claimed though it was done": both(
        edit("effects", {"kind": facts.CLAIMED}, key=k("chain-1", "step3")),
        forget("chain-1", "step3"),
    ),
    "wrong distance that all agree on": both(
        edit("effects", {"result": {"distance_km": 1.0}}, key=k("small", "process_work_item", 2)),
        told(
            "small",
            lambda e: (
                replace(e, result={"distance_km": 1.0})
                if e.event_id
                == [
                    t.event_id
                    for t in world().histories["small"].events
                    if t.type == "TASK_COMPLETED"
                ][3]
                else e
            ),
        ),
    ),
    "wrong length in the leg's row": edit("legs", {"distance_km": 1.0}, batch_id="batch-of-small"),
    **{
        f"wrong {field} of {key}, that all agree on": agreed(key, **{field: value})
        for key, field, value in (
            (k("chain-neg", "step1"), "value", 9),
            (k("small", "get_work_batch"), "count", 4),
            (k("small", "process_results"), "count", 4),
            (k("small", "process_results"), "total_km", 1.0),
            (k("watch", "check_job_status", 1), "status", "completed"),
            (k("watch", "check_job_status", 3), "status", "running"),
            (k("gone", "check_job_status", 1), "status", "completed"),
            (k("watch", "notify_complete"), "notification_id", "another"),
            (k("small-order", "auto_approve_activity"), "verdict", "rejected"),
            (k("small-order", "auto_approve_activity"), "amount", 1.0),
            (k("approved", "process_approval_activity"), "amount", 1.0),
            (k("timed-out", "handle_timeout_activity"), "amount", 1.0),
            (k("trip", "book_flight"), "booking_id", "another"),
            (k("trip", "book_flight"), "item", "JFK-AMS"),
            (k("sold-out", "book_flight"), "booking_id", "another"),
            (k("sold-out", "book_flight"), "item", "JFK-AMS"),
            (k("sold-out", "cancel_hotel"), "undone", False),
            (k("sold-out", "cancel_car"), "undone", True),
        )
    },
    "leg lost": drop("legs", batch_id="batch-of-small", index=1),
    "other leg stored": edit("legs", {"origin": "SIN"}, batch_id="batch-of-small", index=0),
    "total lost": drop("batch_results", instance="large"),
    "wrong total": edit("batch_results", {"total_km": 1.0}, instance="large"),
    "notification lost": drop("notifications", instance="watch"),
    "notified twice": twice("notifications", {"id": "again"}, instance="watch"),
    "divergence": ledger(
        "divergences",
        lambda rows: [
            *rows,
            facts.Divergence(
                k("chain-1", "step1"), "a", "b", "p", world().ledger.effects[0].committed_at
            ),
        ],
    ),
    "effects of an unknown run": twice(
        "effects",
        {"instance": "stranger", "key": k("stranger", "step1"), "seq": 10**6},
        key=k("chain-1", "step1"),
    ),
    "failed without a reason": _failed("chain-1"),
}

# I3

STORIES: dict[str, Break] = {
    "history has another result": answer("chain-1", "step2", result={"value": 5}),
    "history knows less of the result": answer("chain-1", "step2", result={}),
    "history says it failed": answer(
        "chain-1", "step2", type="TASK_FAILED", failure={"type": "InvalidValueError"}
    ),
    "effect that no history scheduled": forget("chain-1", "step2"),
    "returned something else": history("chain-1", {"output": [2, 4, 17]}),
    "returned too little": history("chain-1", {"output": [2, 4]}),
    "another count returned": returned("large", count=129),
    "another total returned": returned("large", total_km=1.0),
    "another status returned": returned("watch", status="failed"),
    "another verdict returned": returned("small-order", verdict="rejected"),
    "another amount returned": returned("small-order", amount=1.0),
    "another amount returned, by the branch": returned("approved", amount=1.0),
    "no outcome of the trip": returned("trip", outcome="unknown"),
    "booked, says the trip": returned("cancelled", outcome="booked"),
    "step that only the history knows": append(
        "chain-1",
        {
            "event_id": 97,
            "type": "TASK_SCHEDULED",
            "name": "step9",
            "input": {"key": k("chain-1", "step9")},
        },
        {"event_id": 98, "type": "TASK_COMPLETED", "task_scheduled_id": 97},
    ),
}

# I4


CAUSALITY: dict[str, Break] = {
    "chain out of order": swap(k("chain-1", "step1"), k("chain-1", "step2")),
    "third step before the second": swap(k("chain-1", "step2"), k("chain-1", "step3")),
    "failure noted before the step": swap(k("chain-neg", "step1"), k("chain-neg", "error_handler")),
    "item before the batch was made": swap(
        k("small", "get_work_batch"), k("small", "process_work_item", 0)
    ),
    "total before an item": swap(k("small", "process_work_item", 2), k("small", "process_results")),
    "begun before its cause": edit(
        "attempts",
        lambda a: {"started_at": a.started_at - timedelta(seconds=0.1)},
        key=k("chain-1", "step2"),
    ),
    "fan-in begun early": edit(
        "attempts",
        lambda a: {"started_at": a.started_at - timedelta(seconds=0.1)},
        key=k("small", "process_results"),
    ),
    "branch before the decision": swap(
        k("approved", "record_decision"), k("approved", "process_approval_activity")
    ),
    "time-out before the decision": swap(
        k("timed-out", "record_decision"), k("timed-out", "handle_timeout_activity")
    ),
    "completion told before the last poll": swap(
        k("watch", "check_job_status", 3), k("watch", "notify_complete")
    ),
    "failure told before the last poll": swap(
        k("gone", "check_job_status", 1), k("gone", "notify_failure")
    ),
    "hotel before flight": swap(k("trip", "book_flight"), k("trip", "book_hotel")),
    "car before hotel": swap(k("trip", "book_hotel"), k("trip", "book_car")),
    "effect without an attempt": drop("attempts", key=k("small-order", "auto_approve_activity")),
    "effect names no attempt": edit("effects", {"attempt_id": None}, key=k("chain-1", "step1")),
    "attempt after its effect": edit(
        "attempts",
        lambda a: {"started_at": a.started_at + HOUR},
        key=k("small-order", "auto_approve_activity"),
    ),
    "attempt of another run": edit(
        "attempts", {"instance": "chain-neg"}, key=k("small-order", "auto_approve_activity")
    ),
}

# I5


def _stock(kind: str, *, capacity: int = 0, available: int = 0) -> Break:
    return edit(
        "inventory",
        lambda s: {"capacity": s.capacity + capacity, "available": s.available + available},
        kind=kind,
    )


SAGAS: dict[str, Break] = {
    "compensation skipped": both(
        forget("sold-out", "cancel_hotel"),
        drop("effects", key=k("sold-out", "cancel_hotel")),
        drop("attempts", key=k("sold-out", "cancel_hotel")),
        edit(
            "bookings",
            {"state": "booked", "cancelled_at": None},
            booking_id=k("sold-out", "book_hotel"),
        ),
        _stock("hotel", available=-1),
    ),
    "undone, but the booking still holds": both(
        edit("bookings", {"state": "booked"}, booking_id=k("sold-out", "book_hotel")),
        _stock("hotel", available=-1),
    ),
    "undone, at no time": edit(
        "bookings", {"cancelled_at": None}, booking_id=k("sold-out", "book_hotel")
    ),
    "failed step not barred": both(
        forget("sold-out", "cancel_car"),
        drop("effects", key=k("sold-out", "cancel_car")),
        drop("attempts", key=k("sold-out", "cancel_car")),
        drop("effects", key=k("sold-out", "book_car")),
    ),
    "undone in the wrong order": swap(
        k("sold-out", "cancel_hotel"), k("sold-out", "cancel_flight")
    ),
    "booking of a good trip is gone": both(
        edit("bookings", {"state": "cancelled"}, booking_id=k("trip", "book_hotel")),
        _stock("hotel", available=1),
    ),
    "booked something else": edit(
        "bookings", {"item": "Other Inn"}, booking_id=k("sold-out", "book_hotel")
    ),
    "sold out, but was not": _stock("car", capacity=1, available=1),
    "a unit lost": _stock("hotel", available=-1),
    "a unit gained": _stock("flight", available=1),
}
SAGAS["booked something else"] = both(
    edit("bookings", {"item": "Other Inn"}, booking_id=k("trip", "book_hotel")),
    _stock("hotel", available=1),
)

# I6


def _decision(instance: str, verdict: str) -> Break:
    """Let row, step and run agree on a decision."""

    def told_of(value: Any) -> Any:
        return {**value, "verdict": verdict}

    return both(
        edit("decisions", {"verdict": verdict}, instance=instance),
        edit(
            "effects", lambda e: {"result": told_of(e.result)}, key=k(instance, "record_decision")
        ),
        lambda w: answer(
            instance,
            "record_decision",
            result=told_of(w.ledger.effect[k(instance, "record_decision")].result),
        )(w),
        history(instance, lambda h: {"output": told_of(h.output)}),
    )


def _word(instance: str, **change: Any) -> Break:
    """Change what was sent to an order, or how it was answered."""
    return seen(
        "events",
        lambda events: [replace(e, **change) if e.instance == instance else e for e in events],
    )


def _earlier_word(w: World) -> World:
    first = next(e for e in w.observations.events if e.instance == "approved")
    when = first.sent_at - timedelta(seconds=0.05)
    word = EventSeen("approved", "human_approval", {"approved": False, "by": "x"}, when, when, 202)
    return seen("events", lambda events: [word, *events])(w)


DECISIONS: dict[str, Break] = {
    "decided twice": twice("decisions", instance="approved"),
    "no decision on record": drop("decisions", instance="approved"),
    "small order decided by a person": twice(
        "decisions", {"instance": "small-order"}, instance="approved"
    ),
    "the other branch acted, too": both(
        twice(
            "effects",
            {
                "key": k("approved", "handle_timeout_activity"),
                "step": "handle_timeout_activity",
                "seq": 10**6,
            },
            key=k("approved", "process_approval_activity"),
        ),
        told(
            "approved",
            lambda e: (
                replace(e, input={"key": k("approved", "handle_timeout_activity")})
                if e.type == "EVENT_RAISED"
                else e
            ),
        ),
        append(
            "approved",
            {
                "event_id": 97,
                "type": "TASK_SCHEDULED",
                "name": "handle_timeout_activity",
                "input": {"key": k("approved", "handle_timeout_activity")},
            },
        ),
    ),
    "step tells another verdict": both(
        edit(
            "effects",
            lambda e: {"result": {**e.result, "verdict": "rejected"}},
            key=k("approved", "record_decision"),
        ),
        lambda w: answer(
            "approved",
            "record_decision",
            result=w.ledger.effect[k("approved", "record_decision")].result,
        )(w),
    ),
    "run returns another verdict": history(
        "approved", lambda h: {"output": {**h.output, "verdict": "rejected"}}
    ),
    "said in an answer that was refused": _word("rejected", http=409),
    "another word, whose answer was lost": _word(
        "rejected", data={"approved": True}, http=NO_ANSWER
    ),
    "decided by an unknown event": drop("events", instance="approved"),
    "decided by another order's event": edit(
        "events", {"instance": "rejected"}, instance="approved"
    ),
    "event used up twice": twice("consumed_events", instance="approved"),
    "event not used up": drop("consumed_events", instance="approved"),
    "event used up by another run": edit(
        "consumed_events", {"instance": "rejected"}, instance="approved"
    ),
    "acknowledged approval lost to the time-out": both(
        _decision("approved", "timed_out"),
        edit(
            "effects",
            {"step": "handle_timeout_activity", "key": k("approved", "handle_timeout_activity")},
            key=k("approved", "process_approval_activity"),
        ),
        edit(
            "attempts",
            {"step": "handle_timeout_activity", "key": k("approved", "handle_timeout_activity")},
            key=k("approved", "process_approval_activity"),
        ),
        told(
            "approved",
            lambda e: (
                replace(
                    e,
                    name="handle_timeout_activity",
                    input={"key": k("approved", "handle_timeout_activity")},
                )
                if e.name == "process_approval_activity"
                else e
            ),
        ),
        edit("decisions", lambda d: {"decided_at": d.decided_at + HOUR}, instance="approved"),
    ),
    "the second word won": _earlier_word,
    "timed out early": edit(
        "decisions",
        lambda d: {"decided_at": d.decided_at - timedelta(seconds=1)},
        instance="timed-out",
    ),
    "timed out without a deadline": told(
        "timed-out", lambda e: None if e.type in {"TIMER_CREATED", "TIMER_FIRED"} else e
    ),
}

# I7


def _poll(change: dict[str, Any], *, at: int = -1, **match: Any) -> Break:
    """Change one of the reads of a run that match: the last, if nothing else is said."""

    def apply(polls: tuple[Poll, ...]) -> list[Poll]:
        hits = [p for p in polls if all(getattr(p, n) == v for n, v in match.items())]
        return [replace(p, **change) if p is hits[at] else p for p in polls]

    return seen("polls", apply)


OBSERVERS: dict[str, Break] = {
    "promise vanished": _poll({"http": 404, "state": None}, instance="chain-1", state="COMPLETED"),
    "ran, then waits to begin": both(
        _poll({"state": "RUNNING"}, instance="chain-1", state="PENDING"),
        _poll({"state": "PENDING"}, instance="chain-1", state="RUNNING"),
    ),
    "ended, then waits to begin": _poll(
        {"state": "PENDING"}, instance="chain-1", state="COMPLETED"
    ),
    "ended, then runs": _poll({"state": "RUNNING"}, instance="chain-1", state="COMPLETED"),
    "ended in two ways": _poll({"state": "TERMINATED"}, instance="cancelled", state="CANCELLED"),
    "seen to end in another way first": _poll(
        {"state": "FAILED"}, at=0, instance="chain-1", state="COMPLETED"
    ),
    "output changed": _poll({"output": [1]}, instance="chain-1", state="COMPLETED"),
    "another end than the engine's": seen(
        "polls",
        lambda polls: [
            replace(p, state="FAILED") if p.instance == "trip" and p.state == "COMPLETED" else p
            for p in polls
        ],
    ),
}

# I8

MONITORS: dict[str, Break] = {
    "poll left out": both(
        drop("attempts", key=k("watch", "check_job_status", 2)),
        drop("effects", key=k("watch", "check_job_status", 2)),
        told(
            "watch", lambda e: None if e.input == {"key": k("watch", "check_job_status", 2)} else e
        ),
        history("watch", lambda h: {"output": {**h.output, "polls": 3}}),
    ),
    "tells of more polls than there were": history(
        "watch", lambda h: {"output": {**h.output, "polls": 5}}
    ),
    "poll too early": edit(
        "attempts",
        lambda a: {"started_at": a.started_at - timedelta(seconds=0.5)},
        key=k("watch", "check_job_status", 2),
    ),
    "first poll after continue-as-new too early": edit(
        "attempts",
        lambda a: {"started_at": a.started_at - timedelta(seconds=0.5)},
        key="long-watch|1|check_job_status|0",
    ),
}

# I9


def _job(run: str, reminder: str) -> Break:
    name = f"actorreminder||default||dapr.internal.default.orchestrator.workflow||{run}||{reminder}"
    return lambda w: replace(w, jobs=(name,))


QUIET: dict[str, Break] = {
    "job of a run that is over": _job("chain-1", "new-event-abc"),
    "job of a step of no run": _job("nobody::1::1", "run-activity"),
    "timer of no run": _job("nobody", "timer-0-abc"),
    "retention of no run": _job("nobody", "retention"),
    "job of no run at all": lambda w: replace(w, jobs=("stray",)),
    "child still runs": history("large:0:1", {"status": "RUNNING"}),
    "child never closed": drop("closed_runs", instance="large:0:1"),
    "rows of no known run": ledger("engine_rows", lambda rows: [*rows, "left-over"]),
    "effect after the end": edit(
        "closed_runs",
        lambda c: {"closed_at": c.closed_at - timedelta(seconds=0.05)},
        instance="chain-1",
    ),
}

# I10 and the faults themselves

STRUCK = world().faults[0].struck_at
#: When the run that the fault hit took its next effect.
WENT_ON = world().ledger.effect[k("after-kill", "step1")].committed_at
MOMENT = timedelta(milliseconds=1)


def _patience(seconds: float) -> Break:
    return lambda w: replace(w, bounds=replace(w.bounds, recovery_seconds=seconds))


RECOVERY: dict[str, Break] = {
    "never went on": fault(
        aim=Aim.RANDOM,
        in_flight=("after-kill", "chain-1"),
        struck_at=world().ledger.closed["chain-1"].closed_at - timedelta(microseconds=1),
        moment_at=world().ledger.closed["chain-1"].closed_at - timedelta(microseconds=1),
    ),
    "went on too late": _patience(0.001),
    "went on too late, although another fault had something down": both(
        _patience(0.02), struck_again(struck_at=STRUCK + MOMENT, healed_at=STRUCK + 2 * MOMENT)
    ),
    "went on too late, and an earlier fault is no excuse": both(
        _patience(0.02), struck_again(struck_at=STRUCK - MOMENT, healed_at=WENT_ON)
    ),
    "an effect that was on its way came too late": both(
        edit("attempts", {"finished_at": STRUCK}, key=k("chain-1", "step3")),
        struck_again(
            struck_at=world().ledger.closed["chain-1"].closed_at + MOMENT, in_flight=("chain-1",)
        ),
        _patience(1.0),
    ),
    "nobody looked": fault(in_flight=("trip",)),
}
late = STRUCK - timedelta(seconds=0.3)
#: The step that stood at the gate: its first attempt, which died there, and what the second did.
STOOD = k("after-kill", "step1")
DIED, _ = world().ledger.attempts_at[STOOD]
other_victim = {"before": {"orchestrator": "200"}, "after": {"orchestrator": "201"}}
VOID: dict[str, Break] = {
    "nothing was replaced": fault(after=world().faults[0].before),
    "only the first of two was replaced": fault(
        components=("activity-worker", "orchestrator"),
        before={**world().faults[0].before, "orchestrator": "200"},
        after={**world().faults[0].after, "orchestrator": "200"},
    ),
    "did not come back": fault(after={"activity-worker": None}),
    "was not there": fault(before={"activity-worker": None}),
    "struck nothing": fault(components=()),
    "moment never came": fault(moment_at=None),
    "too long after the start": fault(aim=Aim.AFTER_START, moment_at=late),
    "too long after the event": fault(aim=Aim.AFTER_EVENT, moment_at=late),
    "too long after the timer": fault(aim=Aim.AFTER_TIMER, moment_at=late),
    "before the moment": fault(aim=Aim.AFTER_TIMER, moment_at=STRUCK + HOUR),
    "freeze that froze nothing": fault(deed=Deed.FREEZE),
    "no step stood there": fault(keys=(), components=("orchestrator",), **other_victim),
    "its step had not begun": fault(
        keys=(k("trip", "book_car", 7),), components=("orchestrator",), **other_victim
    ),
    "its step had not taken effect": both(
        fault(aim=Aim.BEFORE_RETURN), edit("effects", {"attempt_id": DIED.id}, key=STOOD)
    ),
    "its step took effect and was not to": edit("effects", {"attempt_id": DIED.id}, key=STOOD),
    "its step never took effect": fault(
        aim=Aim.BEFORE_RETURN,
        keys=(k("chain-neg", "step2"),),
        components=("orchestrator",),
        **other_victim,
    ),
    "the step lived on": edit(
        "attempts", {"outcome": "failed", "finished_at": WENT_ON}, id=DIED.id
    ),
}

CASES = [
    pytest.param(breaking, invariant, id=f"{invariant}: {name}")
    for invariant, breaks in (
        ("I1", STARTS),
        ("I2", EFFECTS),
        ("I3", STORIES),
        ("I4", CAUSALITY),
        ("I5", SAGAS),
        ("I6", DECISIONS),
        ("I7", OBSERVERS),
        ("I8", MONITORS),
        ("I9", QUIET),
        ("I10", RECOVERY),
        ("F", VOID),
    )
    for name, breaking in breaks.items()
]


@pytest.mark.parametrize(("breaking", "invariant"), CASES)
def test_breaking_one_thing_turns_exactly_its_invariant_red(
    breaking: Break, invariant: str
) -> None:
    broken = breaking(world())
    assert red(broken) == {invariant}, [v for r in check_all(broken) for v in r.violations]


def test_every_invariant_has_its_breaks() -> None:
    assert len({case.values[1] for case in CASES}) == len(ALL)


def test_a_freeze_that_stopped_and_went_on_is_not_void() -> None:
    frozen = fault(deed=Deed.FREEZE, witnessed=("activity-worker",), after=world().faults[0].before)
    assert red(frozen(world())) == set()


def test_time_in_which_a_later_fault_has_something_down_does_not_count() -> None:
    broken = both(
        _patience(0.02), struck_again(struck_at=STRUCK + MOMENT, healed_at=WENT_ON - MOMENT)
    )
    assert red(broken(world())) == set()


@pytest.mark.parametrize(
    "job",
    [
        "actorreminder||default||dapr.internal.default.orchestrator.workflow||chain-1||timer-0-abc",
        "actorreminder||default||dapr.internal.default.orchestrator.workflow||chain-1||retention",
        "app||default||orchestrator||holdfast-memory-1",
    ],
)
def test_a_timer_or_the_retention_of_a_known_run_and_the_kept_word_are_no_orphans(job: str) -> None:
    assert red(replace(world(), jobs=(job,))) == set()
