"""The length of a flight leg: the geodesic between two airports on the WGS-84 ellipsoid.

C. F. F. Karney, "Algorithms for geodesics", Journal of Geodesy 87 (2013), 43-55,
doi:10.1007/s00190-012-0578-z; computed by its author's library, exact to some nanometres.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import airportsdata
from geographiclib.geodesic import Geodesic

from holdfast_contracts.errors import NotFoundError


class Position(NamedTuple):
    """Latitude and longitude in degrees."""

    latitude: float
    longitude: float


@cache
def airports() -> dict[str, Position]:
    """Return the position of every airport with an IATA code; read once in a process."""
    return {
        code: Position(airport["lat"], airport["lon"])
        for code, airport in airportsdata.load("IATA").items()
    }


def distance_km(origin: str, destination: str) -> float:
    """Return the length of the shortest path between two airports, in km."""
    start, end = _position(origin), _position(destination)
    line = Geodesic.WGS84.Inverse(*start, *end, outmask=Geodesic.DISTANCE)
    return float(line["s12"]) / 1000


def _position(code: str) -> Position:
    try:
        return airports()[code]
    except KeyError:
        raise NotFoundError(f"no airport has the IATA code {code}") from None
