from __future__ import annotations

import json

import pytest

from holdfast_contracts.core import RESUME, SUSPEND
from tests.unit.orchestrator.drive import EPOCH, Arrival, Drive
from tests.unit.orchestrator.worlds import JobWorld

JOB = {"job_id": "http://127.0.0.1:1/job", "poll_interval_seconds": 60}


def test_the_monitor_polls_on_its_timer_until_the_job_is_done_and_notifies_once() -> None:
    world = JobWorld(done_at=4)
    drive = Drive("job_status_monitor", JOB, world)
    output = drive.output()
    assert (output["status"], output["polls"]) == ("completed", 4)
    assert [name for name, _ in world.notified] == ["notify_complete"]
    elapsed = [round((due - EPOCH).total_seconds()) for due in drive.timers]
    assert elapsed == [60, 120, 180]


def test_a_failed_job_is_a_completed_run_with_a_failure_notification() -> None:
    world = JobWorld(done_at=1, status="failed")
    assert Drive("job_status_monitor", JOB, world).output()["status"] == "failed"
    assert [name for name, _ in world.notified] == ["notify_failure"]


def test_a_job_id_alone_is_polled_every_five_minutes() -> None:
    drive = Drive("job_status_monitor", JOB["job_id"], JobWorld(done_at=2))
    drive.run()
    assert round((drive.timers[0] - EPOCH).total_seconds()) == 300


def test_keys_stay_unique_and_contiguous_across_continue_as_new() -> None:
    world = JobWorld(done_at=123)
    drive = Drive("job_status_monitor", JOB, world)
    assert drive.output()["polls"] == 123
    expected = [f"run-1|{n // 50}|check_job_status|{n % 50}" for n in range(123)]
    assert world.looks == expected
    assert drive.generations == 3


def test_history_does_not_grow_with_the_number_of_polls() -> None:
    drive = Drive("job_status_monitor", JOB, JobWorld(done_at=300))
    drive.run()
    assert max(len(turn.old) for turn in drive.turns) < 500


@pytest.mark.parametrize("copies", [1, 2])
def test_a_suspended_monitor_holds_before_its_next_step_and_goes_on_when_resumed(
    copies: int,
) -> None:
    world = JobWorld(done_at=3)
    arrivals = [
        Arrival(SUSPEND, {"reason": ""}, "s", after=1),
        Arrival(RESUME, {"reason": ""}, "r", after=2),
    ]
    drive = Drive("job_status_monitor", JOB, world, arrivals=arrivals, copies=copies)
    assert drive.output()["polls"] == 3
    drive.replay_every_prefix()


def test_an_event_that_was_taken_is_not_taken_again_after_continue_as_new() -> None:
    world = JobWorld(done_at=60)
    arrivals = [
        Arrival(SUSPEND, {"reason": ""}, "s", after=1),
        Arrival(RESUME, {"reason": ""}, "r", after=2),
        Arrival(SUSPEND, {"reason": ""}, "s", after=110),
    ]
    drive = Drive("job_status_monitor", JOB, world, arrivals=arrivals)
    assert drive.output()["polls"] == 60
    second = json.loads(
        next(e.executionStarted.input.value for e in drive.turns[-1].old if _started(e))
    )
    assert second["taken_events"] == ["s", "r"]


def _started(event: object) -> bool:
    return bool(event.HasField("executionStarted"))  # type: ignore[attr-defined]
