"""Saga: book a flight, a hotel and a car, or end with none of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from holdfast_contracts.core import CANCEL, Activity, Command, Model, RetryPolicy, Workflow

ItemName = Annotated[str, Field(min_length=1, max_length=100)]


class Resource(StrEnum):
    """The three kinds of inventory."""

    FLIGHT = "flight"
    HOTEL = "hotel"
    CAR = "car"


class BookTripInput(Model):
    """A trip: the flight, the hotel and the car class to book one unit of each."""

    traveller: Annotated[str, Field(min_length=1, max_length=200)]
    flight: ItemName
    hotel: ItemName
    car: ItemName
    retry: RetryPolicy = RetryPolicy()


class Book(Command):
    """Take one unit of an inventory row."""

    traveller: str
    item: str


class BookFlight(Book):
    """Take a seat."""


class BookHotel(Book):
    """Take a room."""


class BookCar(Book):
    """Take a car."""


class Booking(Model):
    """One unit was taken; the booking's id is the effect key of the step that took it."""

    booking_id: str
    item: str


class Cancel(Command):
    """Undo a booking step, or make sure that it can no longer happen."""

    #: The effect key of the step to undo.
    undoes: str


class CancelFlight(Cancel):
    """Give the seat back."""


class CancelHotel(Cancel):
    """Give the room back."""


class CancelCar(Cancel):
    """Give the car back."""


class Cancelled(Model):
    """Whether there was a booking to undo. If not, a late attempt of it is refused from now on."""

    undone: bool


class TripOutcome(StrEnum):
    """How a trip can end without failing."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class BookTripOutput(Model):
    """The three bookings, or none and why the trip was cancelled."""

    outcome: TripOutcome
    bookings: tuple[Booking, ...] = ()
    reason: str = ""


BOOK_FLIGHT = Activity("book_flight", BookFlight, Booking)
BOOK_HOTEL = Activity("book_hotel", BookHotel, Booking)
BOOK_CAR = Activity("book_car", BookCar, Booking)
CANCEL_FLIGHT = Activity("cancel_flight", CancelFlight, Cancelled)
CANCEL_HOTEL = Activity("cancel_hotel", CancelHotel, Cancelled)
CANCEL_CAR = Activity("cancel_car", CancelCar, Cancelled)

BOOK_TRIP = Workflow(
    "book_trip",
    BookTripInput,
    BookTripOutput,
    "Book a flight, a hotel and a car; on failure or cancellation undo in reverse.",
    activities=(BOOK_FLIGHT, BOOK_HOTEL, BOOK_CAR, CANCEL_CAR, CANCEL_HOTEL, CANCEL_FLIGHT),
    events=(CANCEL,),
)
