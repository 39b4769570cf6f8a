"""A budget is counted exactly, however many threads take from it at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast_servicekit.problems import Problem
from holdfast_status_api.auth.rates import Rates
from holdfast_status_api.settings import Settings

THREADS = 32
QUOTA = 1_000
#: Enough for what happens now and then to happen.
SUBJECTS = 20


@pytest.fixture
def _impatient_interpreter() -> Iterator[None]:
    """Let threads take turns so often that whatever can come between does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_impatient_interpreter")
def test_threads_that_take_at_once_get_just_the_quota() -> None:
    rates = Rates(
        Settings(
            app_id="status-api",
            database_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing",
            read_rate=f"{QUOTA}/day",
            workers=1,
        )
    )

    def take(subject: int) -> bool:
        try:
            rates.take(f"subject-{subject}", "GET")
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        for subject in range(SUBJECTS):
            taken = list(pool.map(take, [subject] * (QUOTA + THREADS)))
            assert taken.count(True) == QUOTA
