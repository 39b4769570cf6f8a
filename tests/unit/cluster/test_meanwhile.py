"""What is fetched beside a build helps where it can, and is never in the way."""

from __future__ import annotations

import threading

import pytest

from holdfast_cluster.errors import ClusterError
from holdfast_cluster.meanwhile import meanwhile

SECONDS = 10


def test_steps_are_taken_in_order_beside_the_block() -> None:
    taken: list[str] = []
    third = threading.Event()

    def last() -> None:
        taken.append("third")
        third.set()

    with meanwhile([lambda: taken.append("first"), lambda: taken.append("second"), last]):
        assert third.wait(SECONDS)

    assert taken == ["first", "second", "third"]


def test_a_step_that_fails_is_left_out_and_the_next_is_taken() -> None:
    second = threading.Event()

    def fails() -> None:
        raise ClusterError("no network")

    with meanwhile([fails, second.set]):
        assert second.wait(SECONDS)


def test_none_begins_after_the_block_and_the_one_under_way_ends_before_it_returns() -> None:
    begun, go_on = threading.Event(), threading.Event()
    taken: list[str] = []

    def slow() -> None:
        begun.set()
        assert go_on.wait(SECONDS)
        taken.append("slow")

    def end_it() -> None:
        with meanwhile([slow, lambda: taken.append("late")]):
            assert begun.wait(SECONDS)
            raise KeyboardInterrupt

    threading.Timer(0.1, go_on.set).start()
    with pytest.raises(KeyboardInterrupt):
        end_it()

    assert taken == ["slow"]
