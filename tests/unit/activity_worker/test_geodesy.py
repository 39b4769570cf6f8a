from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_activity_worker.geodesy import airports, distance_km
from holdfast_activity_worker.migrate import sample_legs
from holdfast_contracts.batch_processing import SAMPLE_LEGS
from holdfast_contracts.errors import NotFoundError

CODES = st.sampled_from(sorted(airports()))
#: Half the circumference of the ellipsoid over the poles, in km: no geodesic is longer.
HALF_MERIDIAN_KM = 20003.931459
MEAN_RADIUS_KM = 6371.0088


@pytest.mark.parametrize(
    ("origin", "destination", "statute_miles"),
    [("JFK", "LHR", 3451), ("SIN", "EWR", 9534), ("LAX", "HNL", 2556)],
)
def test_lengths_agree_with_the_published_ones_to_the_mile(
    origin: str, destination: str, statute_miles: int
) -> None:
    assert distance_km(origin, destination) / 1.609344 == pytest.approx(statute_miles, abs=1.5)


@given(CODES, CODES)
def test_a_leg_is_as_long_there_as_back(origin: str, destination: str) -> None:
    there, back = distance_km(origin, destination), distance_km(destination, origin)
    assert there == pytest.approx(back, abs=1e-9)
    assert 0 <= there <= HALF_MERIDIAN_KM


@given(CODES)
def test_a_leg_to_where_it_starts_has_no_length(code: str) -> None:
    assert distance_km(code, code) == 0


def test_an_unknown_code_is_named() -> None:
    with pytest.raises(NotFoundError, match="PFN"):
        distance_km("JFK", "PFN")


def test_the_sample_has_as_many_legs_as_the_contract_says_and_all_can_be_measured() -> None:
    lengths = [distance_km(*leg) for leg in sample_legs()]
    assert len(lengths) == SAMPLE_LEGS
    assert min(lengths) > 0
