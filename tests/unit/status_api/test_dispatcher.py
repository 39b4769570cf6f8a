"""A dispatcher looks into its outbox when there may be something, and not after every row."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from holdfast_status_api import dispatcher
from holdfast_status_api.dispatcher import Dispatcher
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.outbox import Claim, Outbox
from tests.support.waiting import eventually


class Rows:
    """An outbox in memory."""

    name = "rows"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waiting: list[str] = []
        self.arrived: list[str] = []
        self.looks = 0

    def claim(self, limit: int) -> list[Claim]:
        with self._lock:
            self.looks += 1
            taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return [Claim(row, 0, self._row(row)) for row in taken]

    def _row(self, row: str) -> Any:
        return SimpleNamespace(_mapping={"instance_id": row})

    def send(self, *_: object) -> None:
        """Take it at once."""

    def done(self, claim: Claim) -> None:
        with self._lock:
            self.arrived.append(claim.id)

    def renew(self, ids: list[str]) -> list[str]:
        return ids

    def release(self) -> None:
        """Give nothing back: all was sent."""


def dispatched(rows: Rows, monkeypatch: Any, wanted: int) -> None:
    # Only what wakes it counts here.
    for pause in ("POLL_SECONDS", "IDLE_POLL_SECONDS"):
        monkeypatch.setattr(dispatcher, pause, 60)
    sender = Dispatcher(cast("Outbox", rows), cast("Orchestrator", None), concurrency=4)
    sender.start()
    try:
        sender.wake()
        eventually("all rows have arrived", lambda: len(rows.arrived) == wanted)
    finally:
        sender.stop()


def test_more_rows_than_there_is_room_for_are_all_sent_without_another_wake(
    monkeypatch: Any,
) -> None:
    rows = Rows()
    rows.waiting = [str(number) for number in range(50)]

    dispatched(rows, monkeypatch, 50)

    assert sorted(rows.arrived, key=int) == [str(number) for number in range(50)]


def test_a_row_that_was_sent_is_no_reason_to_look_again(monkeypatch: Any) -> None:
    rows = Rows()
    rows.waiting = ["only"]

    dispatched(rows, monkeypatch, 1)

    assert rows.looks <= 3
