from __future__ import annotations

from math import fsum

import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest

from holdfast_contracts.errors import InvalidValueError, NotFoundError
from holdfast_orchestrator.durable import CHILDREN_AT_ONCE
from tests.unit.orchestrator.drive import Drive
from tests.unit.orchestrator.worlds import BatchWorld


@pytest.mark.parametrize("count", [1, 2, 64, 65, 200])
def test_total_is_the_sum_of_all_items_at_any_width(count: int) -> None:
    world = BatchWorld(count)
    drive = Drive("batch_processing", {"batch_id": "b"}, world, seed=count)
    assert drive.output() == {
        "batch_id": "b",
        "count": count,
        "total_km": fsum(i + 0.5 for i in range(count)),
    }
    assert len(world.stored) == 1


def test_items_of_children_keep_the_roots_key_and_their_index_in_the_whole_batch() -> None:
    drive = Drive("batch_processing", 1, BatchWorld(130), instance="root")
    drive.run()
    items = [c for name, c in drive.commands if name == "process_work_item"]
    assert {c["key"] for c in items} == {f"root|0|process_work_item|{i}" for i in range(130)}
    assert {c["instance"] for c in items} == {"root:0:0", "root:0:1", "root:0:2"}


def test_children_are_closed_and_no_closing_shares_a_key() -> None:
    world = BatchWorld(130)
    drive = Drive("batch_processing", 1, world, instance="root")
    drive.run()
    assert world.closed == {"root:0:0", "root:0:1", "root:0:2"}
    closings = [c["key"] for name, c in drive.commands if name == "close_run"]
    assert len(set(closings)) == 3
    assert "root|0|close_run|0" not in closings


def test_a_child_closes_and_ends_only_after_its_parents_turn_is_saved() -> None:
    drive = Drive("batch_processing", 1, BatchWorld(130), instance="root")
    drive.run()
    asked = [c for name, c in drive.commands if name == "parent_committed"]
    assert asked == [{"parent": "root", "child": f"root:0:{n}"} for n in range(3)]
    for child in ("root:0:0", "root:0:1", "root:0:2"):
        mine = [name for name, c in drive.commands if child in {c.get("instance"), c.get("child")}]
        assert mine[-2:] == ["parent_committed", "close_run"]


@pytest.mark.parametrize("seed", range(3))
def test_a_parent_has_few_children_at_once_and_runs_them_all(seed: int) -> None:
    """More of them than the sidecar can put away would lock it up (hazard 12)."""
    drive = Drive("batch_processing", 1, BatchWorld(64 * 20), instance="root", seed=seed)
    assert drive.output()["count"] == 64 * 20
    assert len(drive.children) == 20
    made = ended = most = 0
    for turn in drive.turns:
        ended += sum(event.HasField("childWorkflowInstanceCompleted") for event in turn.new)
        actions = [pb.WorkflowAction.FromString(action) for action in turn.actions]
        made += sum(action.HasField("createChildWorkflow") for action in actions)
        most = max(most, made - ended)
    assert (made, ended, most) == (20, 20, CHILDREN_AT_ONCE)
    drive.replay_every_prefix()


def test_up_to_64_items_need_no_child() -> None:
    drive = Drive("batch_processing", 1, BatchWorld(64), instance="root")
    drive.run()
    assert {c["instance"] for _, c in drive.commands} == {"root"}


@pytest.mark.parametrize("count", [10, 150])
def test_failed_items_are_named_after_all_siblings_and_no_total_is_stored(count: int) -> None:
    world = BatchWorld(count, {3: [NotFoundError("no such leg")], 7: [NotFoundError("gone")]})
    drive = Drive("batch_processing", {"batch_id": "b"}, world, seed=1)
    error_type, message = drive.failure()
    assert error_type == "ItemsFailedError"
    assert "2 item(s) failed" in message
    assert "3: " in message
    assert "7: " in message
    assert world.stored == []
    done = {c["index"] for name, c in drive.commands if name == "process_work_item"}
    assert done == set(range(count))
    assert "run-1" in world.closed


def test_only_the_failed_items_are_tried_again() -> None:
    world = BatchWorld(10, {4: [InvalidValueError("once")]})
    drive = Drive("batch_processing", {"batch_id": "b"}, world)
    assert drive.output()["count"] == 10
    tried = [c["index"] for name, c in drive.commands if name == "process_work_item"]
    assert sorted(tried) == sorted([*range(10), 4])


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_completions_changes_nothing(seed: int) -> None:
    world = BatchWorld(40, {5: [InvalidValueError("once")], 6: [InvalidValueError("once")]})
    drive = Drive("batch_processing", {"batch_id": "b"}, world, seed=seed)
    assert drive.output()["total_km"] == fsum(i + 0.5 for i in range(40))
    drive.replay_every_prefix()
