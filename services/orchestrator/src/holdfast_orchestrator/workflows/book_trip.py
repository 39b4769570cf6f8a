"""Saga: book a flight, a hotel and a car, or end with none of them.

For work across systems that share no transaction. It survives a crash at any point, a step that
fails, and an attempt that was frozen and wakes up too late: a step's compensation is registered
before the step runs, every exit that is not success goes through one loop that undoes in reverse
order, and a compensation that finds nothing to undo makes sure that nothing can come any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast_contracts.book_trip import (
    BOOK_CAR,
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CANCEL_CAR,
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
    Book,
    BookCar,
    BookFlight,
    BookHotel,
    Booking,
    BookTripInput,
    BookTripOutput,
    Cancel,
    CancelCar,
    CancelFlight,
    CancelHotel,
    Cancelled,
    TripOutcome,
)
from holdfast_contracts.core import CANCEL, Activity, Cancellation
from holdfast_orchestrator.durable import Run, Steps, call, gate, poll_event
from holdfast_orchestrator.engine import TaskFailedError


class _Step(NamedTuple):
    """A booking, what it books of a trip, and how it is undone."""

    activity: Activity[Any, Booking]
    command: type[Book]
    item: Callable[[BookTripInput], str]
    undo: Activity[Any, Cancelled]
    undo_command: type[Cancel]


_STEPS = (
    _Step(BOOK_FLIGHT, BookFlight, lambda trip: trip.flight, CANCEL_FLIGHT, CancelFlight),
    _Step(BOOK_HOTEL, BookHotel, lambda trip: trip.hotel, CANCEL_HOTEL, CancelHotel),
    _Step(BOOK_CAR, BookCar, lambda trip: trip.car, CANCEL_CAR, CancelCar),
)


def book_trip(run: Run, trip: BookTripInput) -> Steps[BookTripOutput]:
    """Return all three bookings, or undo them all and either fail or end as cancelled."""
    registered: list[_Step] = []
    bookings: list[Booking] = []
    try:
        for step in _STEPS:
            yield from gate(run)
            cancel = poll_event(run, CANCEL)
            if cancel is not None:
                yield from _undo(run, registered)
                reason = Cancellation.model_validate(cancel.data).reason
                return BookTripOutput(outcome=TripOutcome.CANCELLED, reason=reason)
            registered.append(step)
            command = step.command(
                key=run.key(step.activity),
                instance=run.id,
                closes_run=step is _STEPS[-1],
                traveller=trip.traveller,
                item=step.item(trip),
            )
            bookings.append((yield from call(run, step.activity, command)))
    except TaskFailedError:
        yield from _undo(run, registered)
        raise
    return BookTripOutput(outcome=TripOutcome.BOOKED, bookings=tuple(bookings))


def _undo(run: Run, registered: list[_Step]) -> Steps[None]:
    """Undo what was registered, newest first, each until it succeeds; the last closes the run."""
    for step in reversed(registered):
        command = step.undo_command(
            key=run.key(step.undo),
            instance=run.id,
            closes_run=step is registered[0],
            undoes=run.key(step.activity),
        )
        yield from call(run, step.undo, command, until_done=True)
