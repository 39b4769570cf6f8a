"""What a fresh installation has to offer to travellers."""

from __future__ import annotations

from typing import NamedTuple

from holdfast_contracts.book_trip import Resource


class Stock(NamedTuple):
    """An item of the inventory and how many units of it there are."""

    kind: Resource
    item: str
    capacity: int


#: Plenty of the common items, so that load finds them; few of some, so that they sell out.
STOCK = (
    Stock(Resource.FLIGHT, "AMS-JFK", 100_000),
    Stock(Resource.FLIGHT, "LHR-SIN", 100_000),
    Stock(Resource.FLIGHT, "HEL-NRT", 200),
    Stock(Resource.HOTEL, "Harbour Hotel", 100_000),
    Stock(Resource.HOTEL, "Station Hotel", 100_000),
    Stock(Resource.HOTEL, "Lighthouse Inn", 12),
    Stock(Resource.CAR, "compact", 100_000),
    Stock(Resource.CAR, "estate", 100_000),
    Stock(Resource.CAR, "convertible", 1),
)
