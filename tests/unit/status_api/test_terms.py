"""A deadline that no run could keep, for the API's query and the console's form alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast_status_api.acceptance import Terms


@pytest.mark.parametrize(
    ("start_in", "deadline_in", "said"),
    [
        (None, None, None),
        (None, 60, None),
        (None, -1, "passed"),
        (3600, -1, "passed"),
        (3600, 60, "later than the start"),
        (3600, 3600, "later than the start"),
        (3600, 3601, None),
        (-3600, 60, None),
        (3600, None, None),
    ],
)
def test_a_deadline_is_later_than_now_and_than_the_start(
    start_in: int | None, deadline_in: int | None, said: str | None
) -> None:
    now = datetime.now(UTC)
    start_at, deadline = (
        None if seconds is None else now + timedelta(seconds=seconds)
        for seconds in (start_in, deadline_in)
    )
    fault = Terms(start_at=start_at, deadline=deadline).fault_of_deadline()

    if said is None:
        assert fault is None
    else:
        assert fault is not None
        assert said in fault
