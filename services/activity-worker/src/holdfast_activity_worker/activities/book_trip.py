"""Take a unit of the inventory, or give it back."""

from __future__ import annotations

from sqlalchemy import text

from holdfast_activity_worker.work import Work, effect
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
    Cancel,
    CancelCar,
    CancelFlight,
    CancelHotel,
    Cancelled,
    Resource,
)
from holdfast_contracts.core import EffectKey
from holdfast_contracts.errors import NotFoundError, SoldOutError


def _undone_key(command: Cancel) -> tuple[str, ...]:
    return (command.undoes,)


@effect(BOOK_FLIGHT)
def book_flight(work: Work, command: BookFlight) -> Booking:
    """Take a seat, or fail because there is none."""
    return _book(work, Resource.FLIGHT, command)


@effect(BOOK_HOTEL)
def book_hotel(work: Work, command: BookHotel) -> Booking:
    """Take a room, or fail because there is none."""
    return _book(work, Resource.HOTEL, command)


@effect(BOOK_CAR)
def book_car(work: Work, command: BookCar) -> Booking:
    """Take a car, or fail because there is none."""
    return _book(work, Resource.CAR, command)


@effect(CANCEL_FLIGHT, touches=_undone_key)
def cancel_flight(work: Work, command: CancelFlight) -> Cancelled:
    """Give the seat back, or make sure that none will be taken."""
    return _cancel(work, command)


@effect(CANCEL_HOTEL, touches=_undone_key)
def cancel_hotel(work: Work, command: CancelHotel) -> Cancelled:
    """Give the room back, or make sure that none will be taken."""
    return _cancel(work, command)


@effect(CANCEL_CAR, touches=_undone_key)
def cancel_car(work: Work, command: CancelCar) -> Cancelled:
    """Give the car back, or make sure that none will be taken."""
    return _cancel(work, command)


def _book(work: Work, kind: Resource, command: Book) -> Booking:
    item = {"kind": kind, "item": command.item}
    taken = work.connection.execute(
        text(
            "UPDATE work.inventory SET available = available - 1 "
            "WHERE kind = :kind AND item = :item AND available > 0 RETURNING available"
        ),
        item,
    ).one_or_none()
    if taken is None:
        raise _why_not(work, item)
    work.connection.execute(
        text(
            "INSERT INTO work.bookings (booking_id, kind, item, instance, traveller) "
            "VALUES (:booking_id, :kind, :item, :instance, :traveller)"
        ),
        {
            **item,
            "booking_id": command.key,
            "instance": EffectKey.parse(command.key).instance,
            "traveller": command.traveller,
        },
    )
    return Booking(booking_id=command.key, item=command.item)


def _why_not(work: Work, item: dict[str, str]) -> NotFoundError | SoldOutError:
    known = work.connection.scalar(
        text("SELECT count(*) FROM work.inventory WHERE kind = :kind AND item = :item"), item
    )
    name = f"{item['kind']} {item['item']}"
    return SoldOutError(f"{name} is sold out") if known else NotFoundError(f"there is no {name}")


def _cancel(work: Work, command: Cancel) -> Cancelled:
    """Undo the step under its own lock, so that no attempt of it is under way."""
    step = {"key": command.undoes}
    kind = work.connection.scalar(text("SELECT kind FROM work.effects WHERE key = :key"), step)
    if kind is None:
        # A late attempt of the step finds its key taken.
        work.forbids.append(command.undoes)
    if kind != "effect":
        return Cancelled(undone=False)
    cancelled = work.connection.execute(
        text(
            "UPDATE work.bookings SET state = 'cancelled', cancelled_at = clock_timestamp() "
            "WHERE booking_id = :key AND state = 'booked' RETURNING kind, item"
        ),
        step,
    ).one_or_none()
    if cancelled is None:
        return Cancelled(undone=False)
    work.connection.execute(
        text(
            "UPDATE work.inventory SET available = available + 1 "
            "WHERE kind = :kind AND item = :item"
        ),
        {"kind": cancelled.kind, "item": cancelled.item},
    )
    return Cancelled(undone=True)
