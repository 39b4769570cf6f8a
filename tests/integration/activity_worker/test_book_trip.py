from __future__ import annotations

import pytest

from holdfast_contracts.book_trip import (
    BOOK_CAR,
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CANCEL_CAR,
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
)
from holdfast_contracts.errors import NotFoundError, SoldOutError, StepCancelledError
from tests.integration.activity_worker.hands import (
    Admin,
    Hands,
    available,
    effects,
    key,
    outcomes,
    rows,
    wait_until_blocked,
)

BOOKINGS = "SELECT booking_id, kind, item, state FROM work.bookings WHERE instance = %s"


def test_a_booking_takes_a_unit_and_its_cancellation_gives_it_back(
    hands: Hands, admin: Admin, run: str
) -> None:
    before = available(admin, "HEL-NRT")
    assert isinstance(before, int)
    booking = hands.do(BOOK_FLIGHT, run, traveller="Ada", item="HEL-NRT")
    assert booking.booking_id == key(BOOK_FLIGHT, run)
    assert available(admin, "HEL-NRT") == before - 1
    assert rows(admin, BOOKINGS, run) == [(booking.booking_id, "flight", "HEL-NRT", "booked")]

    for _ in range(2):
        cancelled = hands.do(CANCEL_FLIGHT, run, undoes=booking.booking_id)
        assert cancelled.undone
    assert available(admin, "HEL-NRT") == before
    assert rows(admin, BOOKINGS, run) == [(booking.booking_id, "flight", "HEL-NRT", "cancelled")]


def test_a_booking_that_comes_after_its_cancellation_is_refused(
    hands: Hands, admin: Admin, run: str
) -> None:
    before = available(admin, "Harbour Hotel")
    cancelled = hands.do(CANCEL_HOTEL, run, undoes=key(BOOK_HOTEL, run))
    assert not cancelled.undone
    with pytest.raises(StepCancelledError):
        hands.do(BOOK_HOTEL, run, traveller="Ada", item="Harbour Hotel")
    assert available(admin, "Harbour Hotel") == before
    assert rows(admin, BOOKINGS, run) == []
    assert effects(admin, run) == [("book_hotel", 0, "cancelled"), ("cancel_hotel", 0, "effect")]
    assert outcomes(admin, run) == ["committed", "refused"]
    assert rows(admin, "SELECT FROM work.divergences WHERE key LIKE %s", f"{run}|%") == []


def test_a_booking_under_way_is_finished_before_it_is_cancelled(
    hands: Hands, admin: Admin, run: str
) -> None:
    before = available(admin, "AMS-JFK")
    with admin.transaction():
        admin.execute("LOCK TABLE work.effects IN SHARE MODE")
        booking = hands.begin(BOOK_FLIGHT, run, traveller="Ada", item="AMS-JFK")
        wait_until_blocked(admin, hands.name, "INSERT INTO work.effects")
        cancel = hands.begin(CANCEL_FLIGHT, run, undoes=key(BOOK_FLIGHT, run))
        wait_until_blocked(admin, hands.name, "pg_advisory_xact_lock")
    booking.result(timeout=30)
    assert cancel.result(timeout=30).undone
    assert available(admin, "AMS-JFK") == before


def test_the_last_car_is_sold_once(hands: Hands, admin: Admin, run: str) -> None:
    attempts = [
        hands.begin(BOOK_CAR, run, index, traveller="Ada", item="convertible") for index in range(8)
    ]
    errors = [attempt.exception(timeout=30) for attempt in attempts]
    assert sorted(type(error).__name__ for error in errors) == ["NoneType"] + 7 * ["SoldOutError"]
    assert available(admin, "convertible") == 0
    sold = errors.index(None)
    hands.do(CANCEL_CAR, run, undoes=key(BOOK_CAR, run, sold))
    assert available(admin, "convertible") == 1


def test_sold_out_takes_nothing(hands: Hands, admin: Admin, run: str) -> None:
    hands.do(BOOK_CAR, run, 0, traveller="Ada", item="convertible")
    try:
        with pytest.raises(SoldOutError, match="car convertible is sold out"):
            hands.do(BOOK_CAR, run, 1, traveller="Ada", item="convertible")
        assert len(rows(admin, BOOKINGS, run)) == 1
        assert available(admin, "convertible") == 0
    finally:
        hands.do(CANCEL_CAR, run, undoes=key(BOOK_CAR, run, 0))


def test_an_item_that_is_not_offered_is_not_found(hands: Hands, run: str) -> None:
    with pytest.raises(NotFoundError, match="there is no hotel Harbour View"):
        hands.do(BOOK_HOTEL, run, traveller="Ada", item="Harbour View")


def test_what_is_taken_and_what_is_booked_add_up_to_the_capacity(admin: Admin) -> None:
    query = """
        SELECT kind, item FROM work.inventory i WHERE capacity - available <> (
            SELECT count(*) FROM work.bookings b
            WHERE b.kind = i.kind AND b.item = i.item AND b.state = 'booked')
    """
    assert rows(admin, query) == []
