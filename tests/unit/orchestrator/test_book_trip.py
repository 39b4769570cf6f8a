from __future__ import annotations

import pytest

from holdfast_contracts.core import CANCEL, RESUME, SUSPEND
from tests.unit.orchestrator.drive import Arrival, Drive
from tests.unit.orchestrator.worlds import TripWorld

TRIP = {"traveller": "a", "flight": "f", "hotel": "h", "car": "c"}


def test_a_trip_books_all_three_and_the_last_booking_closes_the_run() -> None:
    world = TripWorld()
    drive = Drive("book_trip", TRIP, world)
    output = drive.output()
    assert output["outcome"] == "booked"
    assert [b["item"] for b in output["bookings"]] == ["f", "h", "c"]
    assert [c["closes_run"] for _, c in drive.commands] == [False, False, True]


@pytest.mark.parametrize(
    ("sold_out", "steps"),
    [
        ("flight", ["book_flight", "cancel_flight"]),
        ("hotel", ["book_flight", "book_hotel", "cancel_hotel", "cancel_flight"]),
        (
            "car",
            [
                "book_flight",
                "book_hotel",
                "book_car",
                "cancel_car",
                "cancel_hotel",
                "cancel_flight",
            ],
        ),
    ],
)
def test_a_trip_that_finds_something_sold_out_undoes_in_reverse_and_fails(
    sold_out: str, steps: list[str]
) -> None:
    world = TripWorld(sold_out)
    drive = Drive("book_trip", TRIP, world)
    _, message = drive.failure()
    assert f"no {sold_out} left" in message
    assert drive.steps() == steps
    assert world.held == []
    assert drive.commands[-1][1]["closes_run"]


def test_the_failed_steps_own_compensation_runs_too() -> None:
    drive = Drive("book_trip", TRIP, TripWorld("car"))
    drive.run()
    undone = [c["undoes"] for name, c in drive.commands if name.startswith("cancel_")]
    assert undone == ["run-1|0|book_car|0", "run-1|0|book_hotel|0", "run-1|0|book_flight|0"]


def test_compensations_are_retried_until_they_succeed() -> None:
    world = TripWorld("car", undo_failures=12)
    drive = Drive("book_trip", TRIP, world)
    drive.failure()
    assert world.held == []
    assert drive.steps().count("cancel_car") == 13


@pytest.mark.parametrize(
    ("after", "steps"),
    [
        (1, ["book_flight", "cancel_flight"]),
        (2, ["book_flight", "book_hotel", "cancel_hotel", "cancel_flight"]),
    ],
)
def test_a_cancellation_between_steps_undoes_and_ends_as_cancelled(
    after: int, steps: list[str]
) -> None:
    world = TripWorld()
    arrivals = [Arrival(CANCEL, {"reason": "changed my mind"}, "e1", after=after)]
    drive = Drive("book_trip", TRIP, world, arrivals=arrivals)
    output = drive.output()
    assert (output["outcome"], output["reason"]) == ("cancelled", "changed my mind")
    assert drive.steps() == steps
    assert world.held == []
    consumed = [c["consumed_events"] for name, c in drive.commands if name.startswith("cancel_")]
    assert consumed == [["e1"]] + [[]] * (after - 1)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_cancellation_of_a_suspended_trip_undoes_what_was_done_and_does_no_step_more(
    after: int,
) -> None:
    arrivals = [
        Arrival(SUSPEND, {"reason": ""}, "s", after=after),
        Arrival(CANCEL, {"reason": "changed my mind"}, "c", after=after),
        Arrival(RESUME, {"reason": ""}, "r", after=after),
    ]
    world = TripWorld()
    drive = Drive("book_trip", TRIP, world, arrivals=arrivals)
    assert drive.output()["outcome"] == "cancelled"
    booked = [step for step in drive.steps() if step.startswith("book_")]
    assert len(booked) <= max(after, 1)
    assert world.held == []
    drive.replay_every_prefix()


def test_a_cancellation_after_the_last_step_comes_too_late() -> None:
    arrivals = [Arrival(CANCEL, {"reason": ""}, "e1", after=3)]
    drive = Drive("book_trip", TRIP, TripWorld(), arrivals=arrivals)
    assert drive.output()["outcome"] == "booked"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sold_out", [None, "car"])
def test_every_prefix_of_a_trip_replays_to_the_same_decisions(
    seed: int, sold_out: str | None
) -> None:
    arrivals = [
        Arrival(SUSPEND, {"reason": ""}, "s", after=1),
        Arrival(RESUME, {"reason": ""}, "r", after=1),
        Arrival(CANCEL, {"reason": ""}, "c", after=seed),
    ]
    drive = Drive("book_trip", TRIP, TripWorld(sold_out), seed=seed, arrivals=arrivals)
    drive.run()
    drive.replay_every_prefix()
