"""What a trip must leave: three bookings, or each step that was begun undone in reverse.

How far a trip came before it turned back is a race. The model takes what was done and wants it
whole; that all was undone, and in order, is judged by the invariant on sagas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_chaos.facts import CLAIMED, DONE, key
from holdfast_chaos.model.expectation import Expectation, Expected, fields
from holdfast_contracts.book_trip import (
    BOOK_CAR,
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CANCEL_CAR,
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
    TripOutcome,
)
from holdfast_contracts.core import CANCEL, CLOSE_RUN

if TYPE_CHECKING:
    from holdfast_chaos.world import DeclaredRun, World

#: Each step, and those that must have taken effect before it begins.
CAUSES = {BOOK_HOTEL.name: (BOOK_FLIGHT.name,), BOOK_CAR.name: (BOOK_HOTEL.name,)}

#: Each step with what undoes it, in the order in which they are done.
SAGA = (
    (BOOK_FLIGHT.name, CANCEL_FLIGHT.name),
    (BOOK_HOTEL.name, CANCEL_HOTEL.name),
    (BOOK_CAR.name, CANCEL_CAR.name),
)
ITEM = {BOOK_FLIGHT.name: "flight", BOOK_HOTEL.name: "hotel", BOOK_CAR.name: "car"}


def turned_back(instance: str, world: World) -> bool:
    """Tell whether a trip ended without its bookings, by any witness."""
    history = world.histories.get(instance)
    if history is not None and history.status == "FAILED":
        return True
    cancelled = fields(outcome=TripOutcome.CANCELLED.value)
    if history is not None and cancelled(history.output) is None:
        return True
    undoing = {undo for _, undo in SAGA}
    return bool(undoing & world.ledger.steps_seen(instance))


def begun(instance: str, world: World) -> tuple[tuple[str, str], ...]:
    """Return the steps that a trip had begun, as every witness together tells it."""
    seen = world.ledger.steps_seen(instance)
    claimed = {e.step for e in world.ledger.effects_of.get(instance, ()) if e.kind == CLAIMED}
    last = max((n for n, (do, _) in enumerate(SAGA, 1) if do in seen | claimed), default=0)
    return SAGA[:last]


def expect(run: DeclaredRun, world: World) -> Expectation:
    """Return the effects of a trip."""
    if not turned_back(run.instance, world):
        effects = {
            key(run.instance, do): Expected(
                fields(booking_id=key(run.instance, do), item=run.input[ITEM[do]])
            )
            for do, _ in SAGA
        }
        booked = fields(outcome=TripOutcome.BOOKED.value)
        return Expectation(effects, status="COMPLETED", output=booked)
    effects = _undone(run, world)
    # Only a request to cancel lets a trip that turned back complete; else it must have failed.
    asked = any(e.possible for e in world.observations.events_of(run.instance, CANCEL.name))
    history = world.histories.get(run.instance)
    completed = asked and history is not None and history.status == "COMPLETED"
    return Expectation(
        effects,
        status="COMPLETED" if completed else "FAILED",
        output=fields(outcome=TripOutcome.CANCELLED.value),
    )


def _undone(run: DeclaredRun, world: World) -> dict[str, Expected]:
    ledger = world.ledger
    bookings = {booking.booking_id: booking for booking in ledger.bookings_of.get(run.instance, ())}
    attempted = {attempt.key for attempt in ledger.attempts_of.get(run.instance, ())}
    effects: dict[str, Expected] = {}
    for do, undo in begun(run.instance, world):
        done, undone = key(run.instance, do), key(run.instance, undo)
        was_booked = done in bookings
        if was_booked:
            effects[done] = Expected(fields(booking_id=done, item=run.input[ITEM[do]]))
        # That a compensation was left out is the saga's invariant; that one ran and left no
        # effect, or took its claim back, is a hole in the ledger.
        claimed = done in ledger.effect and ledger.effect[done].kind == CLAIMED
        if undone in attempted or undone in ledger.effect or claimed:
            effects[undone] = Expected(fields(undone=was_booked))
            if not was_booked:
                effects[done] = Expected(kind=CLAIMED)
    closing = ledger.closed.get(run.instance)
    if closing is not None and closing.key == key(run.instance, CLOSE_RUN.name):
        effects[closing.key] = Expected(kind=DONE)
    return effects
