"""The saga `book_trip`, declared for the chaos suite as somebody would declare a saga of theirs."""

from __future__ import annotations

from random import Random
from typing import Any

from holdfast_chaos.declaration import Declaration


def trip(random: Random) -> dict[str, Any]:
    """Return a trip; one in three asks for a car that nobody has, and must be undone."""
    return {
        "traveller": f"traveller-{random.randint(1, 999)}",
        "flight": "AMS-JFK",
        "hotel": "Harbour Hotel",
        "car": random.choice(["compact", "estate", "flying carpet"]),
    }


DECLARATION = Declaration(
    workflow="book_trip",
    start=trip,
    effects=("book_flight", "book_hotel", "book_car"),
    compensations={
        "book_flight": "cancel_flight",
        "book_hotel": "cancel_hotel",
        "book_car": "cancel_car",
    },
)
