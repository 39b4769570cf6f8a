from __future__ import annotations

import threading

from holdfast_servicekit.lasting import Lasting
from tests.support.waiting import eventually


class Worker(Lasting):
    def __init__(self) -> None:
        super().__init__("worker", "the worker")
        self.turns = 0
        self.fails = threading.Event()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.turns += 1
            if self.fails.is_set():
                return
            self._rest()


def test_thread_works_when_it_is_woken_and_no_more_once_it_is_stopped() -> None:
    worker = Worker()
    worker.start()
    eventually("it begins", lambda: worker.turns == 1)
    worker.wake()
    eventually("it is woken", lambda: worker.turns == 2)
    assert worker.dead() is None
    worker.stop()
    turns = worker.turns
    worker.wake()
    assert (worker.turns, worker.dead()) == (turns, None)


def test_thread_that_ends_by_itself_is_told() -> None:
    worker = Worker()
    worker.fails.set()
    worker.start()
    eventually("it is told", lambda: worker.dead() == "the worker has ended")


def test_one_that_was_never_started_can_be_stopped() -> None:
    Worker().stop()
