"""The picture of a run's timeline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from holdfast_status_api.console import chart

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Attempt:
    id: int
    key: str = "run|0|step1|0"
    pod: str = "worker/1"
    started_at: datetime = BEGIN
    finished_at: datetime | None = None
    outcome: str | None = None


@dataclass
class Effect:
    key: str = "run|0|step1|0"
    kind: str = "effect"
    pod: str = "worker/1"
    committed_at: datetime = BEGIN + timedelta(seconds=9)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


CUT = Attempt(1)
DONE = Attempt(2, pod="worker/2", started_at=at(5), finished_at=at(10), outcome="committed")


def test_nothing_is_drawn_before_the_first_attempt() -> None:
    assert chart.draw([], [], until=at(1), over=False) is None


def test_attempt_that_another_one_replaced_is_cut_off_and_leads_to_its_successor() -> None:
    drawn = chart.draw([CUT, DONE], [Effect()], until=at(10), over=True)

    assert drawn is not None
    (lane,) = drawn.lanes
    assert [bar.interrupted for bar in lane.bars] == [True, False]
    assert lane.bars[0].colour != lane.bars[1].colour
    ((begin, end),) = lane.gaps
    assert lane.bars[0].x < begin < end == lane.bars[1].x
    assert lane.bars[1].x < lane.ticks[0].x < lane.bars[1].x + lane.bars[1].width
    assert drawn.summary == "2 attempts, 1 of them interrupted, on 2 processes; 1 effect."


def test_last_attempt_without_an_outcome_is_under_way_until_the_run_is_over() -> None:
    assert chart.interrupted([CUT], over=False) == set()
    assert chart.interrupted([CUT], over=True) == {1}
    drawn = chart.draw([CUT], [], until=at(8), over=False)
    assert drawn is not None
    assert drawn.lanes[0].bars[0].width > 0.9 * (chart.WIDTH - chart.GUTTER - chart.RIGHT)


def test_run_of_many_steps_has_a_lane_for_each_step_and_process() -> None:
    attempts = [
        replace(DONE, id=n, key=f"run|0|item|{n}", pod=f"worker/{n % 2}", started_at=at(n / 10))
        for n in range(200)
    ]
    drawn = chart.draw(attempts, [], until=at(30), over=True)

    assert drawn is not None
    assert [lane.label for lane in drawn.lanes] == ["item", "item"]
    assert [lane.note for lane in drawn.lanes] == [
        "100 attempts on worker/0",
        "100 attempts on worker/1",
    ]
    assert all(len(lane.bars) < 20 for lane in drawn.lanes)


def test_labels_name_the_step_and_which_one_of_them() -> None:
    assert chart.label("run|0|step1|0") == "step1"
    assert chart.label("run|2|check|7") == "check #7 turn 3"
    assert chart.label("something else") == "something else"


def test_axis_has_a_handful_of_marks_whatever_the_length() -> None:
    for seconds in (0.001, 1, 60, 86400, 366 * 86400):
        drawn = chart.draw([replace(DONE, finished_at=at(5 + seconds))], [], until=at(6), over=True)
        assert drawn is not None
        assert 1 <= len(drawn.axis) <= 14
