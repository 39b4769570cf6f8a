"""What one activity makes the parts do: counts, so the same on every machine.

A change that adds a commit, a statement or a call to each step is seen here, and not in a month.
Each bound is what was counted, and a little room for what runs beside.
"""

from __future__ import annotations

import pytest

from bench.counts import Counters
from bench.loads import STEPS_OF_A_CHAIN
from holdfast_local.stack import Stack

pytestmark = pytest.mark.integration

CHAINS = 10

#: Of a whole chain of three steps. The engine's own part is what Dapr 1.18 does; what is ours is
#: the ledger: five statements and three commits for a step, and one statement more to close a run.
BOUNDS = {
    "etcd_commits": 14,
    "store_statements": 45,
    "store_commits": 21,
    "ledger_statements": 16,
    "ledger_commits": 9,
    "calls": 17,
}
ROOM = 1.05


@pytest.fixture(scope="module")
def counted(stack: Stack) -> dict[str, float]:
    """What each step of a chain costs, its share of the run's start and end included."""
    counters = Counters(stack)
    counters.enable()
    counters.of_chains(1)  # what is made once, as prepared statements are
    return counters.of_chains(CHAINS)


@pytest.mark.parametrize(("what", "bound"), BOUNDS.items())
def test_a_chain_makes_the_parts_do_no_more_than_it_did(
    counted: dict[str, float], what: str, bound: int
) -> None:
    assert 0 < counted[what] * STEPS_OF_A_CHAIN <= bound * ROOM
