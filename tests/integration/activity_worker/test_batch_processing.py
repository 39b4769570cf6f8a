from __future__ import annotations

import pytest

from holdfast_activity_worker.geodesy import distance_km
from holdfast_contracts.batch_processing import (
    GET_WORK_BATCH,
    PROCESS_RESULTS,
    PROCESS_WORK_ITEM,
    SAMPLE_LEGS,
    WorkBatch,
)
from holdfast_contracts.errors import NotFoundError, PermanentError
from tests.integration.activity_worker.hands import Admin, Hands, rows


def test_a_number_makes_a_batch_of_the_first_sample_legs_for_the_run(
    hands: Hands, admin: Admin, run: str
) -> None:
    batch = hands.do(GET_WORK_BATCH, run, items=3)
    assert batch == WorkBatch(batch_id=run, count=3)
    query = (
        "SELECT idx, origin, destination, distance_km FROM work.batch_legs "
        "WHERE batch_id = %s ORDER BY idx"
    )
    assert rows(admin, query, run) == [
        (0, "ABE", "ATL", None),
        (1, "ABE", "BHM", None),
        (2, "ABE", "CLE", None),
    ]


def test_the_whole_sample_can_be_asked_for_and_no_more(hands: Hands, run: str) -> None:
    assert hands.do(GET_WORK_BATCH, run, items=SAMPLE_LEGS).count == SAMPLE_LEGS
    with pytest.raises(PermanentError, match="the sample has"):
        hands.do(GET_WORK_BATCH, f"{run}-more", items=SAMPLE_LEGS + 1)


def test_a_loaded_batch_is_found_and_another_is_not(hands: Hands, admin: Admin, run: str) -> None:
    admin.execute("INSERT INTO work.batches (batch_id, legs) VALUES (%s, 7)", (f"of-{run}",))
    assert hands.do(GET_WORK_BATCH, run, 0, batch_id=f"of-{run}").count == 7
    with pytest.raises(NotFoundError, match="no batch nowhere was loaded"):
        hands.do(GET_WORK_BATCH, run, 1, batch_id="nowhere")


def test_a_batch_that_was_loaded_is_not_taken_over_by_a_run_of_its_name(
    hands: Hands, admin: Admin, run: str
) -> None:
    admin.execute("INSERT INTO work.batches (batch_id, legs) VALUES (%s, 7)", (run,))
    with pytest.raises(PermanentError, match="was loaded before"):
        hands.do(GET_WORK_BATCH, run, items=3)


def test_an_item_is_measured_and_its_length_is_in_its_row(
    hands: Hands, admin: Admin, run: str
) -> None:
    hands.do(GET_WORK_BATCH, run, items=2)
    measured = hands.do(PROCESS_WORK_ITEM, run, 1, batch_id=run, index=1)
    assert measured.distance_km == distance_km("ABE", "BHM")
    query = "SELECT distance_km FROM work.batch_legs WHERE batch_id = %s ORDER BY idx"
    assert rows(admin, query, run) == [(None,), (measured.distance_km,)]


def test_items_of_a_child_keep_the_keys_of_the_root(hands: Hands, admin: Admin, run: str) -> None:
    hands.do(GET_WORK_BATCH, run, items=2)
    child = f"{run}:0:0"
    hands.do(PROCESS_WORK_ITEM, run, 1, instance=child, batch_id=run, index=1)
    query = "SELECT instance, runner, idx FROM ledger.effects WHERE step = %s AND instance = %s"
    assert rows(admin, query, PROCESS_WORK_ITEM.name, run) == [(run, child, 1)]


def test_a_leg_that_is_not_there_is_not_found(hands: Hands, run: str) -> None:
    with pytest.raises(NotFoundError, match="has no leg 9"):
        hands.do(PROCESS_WORK_ITEM, run, batch_id=run, index=9)


def test_the_total_is_stored_once_and_closes_the_run(hands: Hands, admin: Admin, run: str) -> None:
    hands.do(GET_WORK_BATCH, run, items=2)
    total = {"batch_id": run, "count": 2, "total_km": 2345.678901234567, "closes_run": True}
    for _ in range(2):
        stored = hands.do(PROCESS_RESULTS, run, **total)
        assert (stored.count, stored.total_km) == (2, 2345.678901234567)
    query = "SELECT instance, count, total_km FROM work.batch_results WHERE batch_id = %s"
    assert rows(admin, query, run) == [(run, 2, 2345.678901234567)]
