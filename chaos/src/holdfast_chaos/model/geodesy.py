"""Leg lengths from another library than the product's, so that the two check each other.

The activity-worker measures with GeographicLib; this uses PROJ. Both know the same airports.
"""

from __future__ import annotations

from functools import cache
from typing import cast

import airportsdata
from pyproj import Geod

METRES_PER_KM = 1000.0


@cache
def _places() -> dict[str, tuple[float, float]]:
    airports = airportsdata.load("IATA")
    return {code: (float(a["lon"]), float(a["lat"])) for code, a in airports.items()}


@cache
def _ellipsoid() -> Geod:
    return Geod(ellps="WGS84")


@cache
def distance_km(origin: str, destination: str) -> float:
    """Return the WGS-84 geodesic between two airports, in km."""
    start, end = _places()[origin], _places()[destination]
    _, _, metres = _ellipsoid().inv(*start, *end)
    return cast("float", metres) / METRES_PER_KM
