from __future__ import annotations

from datetime import timedelta

import pytest

from holdfast_contracts.errors import RunClosedError, UnavailableError
from tests.unit.orchestrator.drive import Drive
from tests.unit.orchestrator.worlds import ChainWorld


def test_chain_returns_the_results_of_all_three_steps() -> None:
    assert Drive("task_chain", 1, ChainWorld()).output() == [2, 4, 16]


def test_each_step_gets_a_key_of_its_own_and_the_last_one_closes_the_run() -> None:
    drive = Drive("task_chain", 1, ChainWorld(), instance="abc")
    drive.run()
    assert [command["key"] for _, command in drive.commands] == [
        "abc|0|step1|0",
        "abc|0|step2|0",
        "abc|0|step3|0",
    ]
    assert [command["closes_run"] for _, command in drive.commands] == [False, False, True]


def test_negative_input_fails_step2_three_times_and_is_handled_before_the_run_fails() -> None:
    world = ChainWorld()
    drive = Drive("task_chain", -1, world)
    error_type, message = drive.failure()
    assert error_type == "TaskFailedError"
    assert "the value must be positive" in message
    assert world.attempts == {"step1": 1, "step2": 3, "error_handler": 1}


def test_retries_use_one_key_and_every_timer_is_followed_by_a_local_step() -> None:
    drive = Drive("task_chain", -1, ChainWorld())
    drive.run()
    assert {c["key"] for name, c in drive.commands if name == "step2"} == {"run-1|0|step2|0"}
    assert drive.apps == [
        ("step1", "activity-worker"),
        ("step2", "activity-worker"),
        ("checkpoint", ""),
        ("step2", "activity-worker"),
        ("checkpoint", ""),
        ("step2", "activity-worker"),
        ("error_handler", "activity-worker"),
    ]


def test_a_dependency_that_is_away_does_not_use_up_the_retries() -> None:
    world = ChainWorld()
    outages = iter(range(7))

    def flaky(name: str, command: dict[str, object]) -> object:
        if name == "step1" and next(outages, None) is not None:
            raise UnavailableError("the database is away")
        return world(name, command)

    drive = Drive("task_chain", 1, flaky)
    assert drive.output() == [2, 4, 16]
    waits = [
        (later - earlier).total_seconds()
        for earlier, later in zip(drive.timers, drive.timers[1:], strict=False)
    ]
    assert [round(wait) for wait in waits] == [2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("seed", range(5))
def test_every_prefix_of_a_chain_replays_to_the_same_decisions(seed: int) -> None:
    drive = Drive("task_chain", -1, ChainWorld(), seed=seed)
    drive.run()
    assert drive.replay_every_prefix() >= 2 * len(drive.turns)


def test_a_run_that_was_closed_before_ends_and_does_not_insist_on_closing_it_again() -> None:
    def closed(name: str, command: dict[str, object]) -> object:
        raise RunClosedError("the run has ended")

    drive = Drive("task_chain", 1, closed)
    error_type, message = drive.failure()
    assert (error_type, "the run has ended" in message) == ("TaskFailedError", True)
    assert drive.steps() == ["step1", "error_handler", "close_run"]


def test_the_history_of_a_long_outage_grows_with_its_logarithm() -> None:
    tries = 0

    def away(name: str, command: dict[str, object]) -> object:
        nonlocal tries
        tries += 1
        if tries <= 100:
            raise UnavailableError("the database is away")
        return ChainWorld()(name, command)

    drive = Drive("task_chain", 1, away)
    assert drive.output() == [2, 4, 16]
    lasted = drive.timers[-1] - drive.timers[0]
    assert lasted > timedelta(days=1)
    last, before = drive.timers[-1], drive.timers[-2]
    assert (last - before) < 0.11 * lasted
