"""Follow a run: its status as it is pushed, its steps as they are written."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from holdfast_cli.client import Client, part
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.snapshots import Snapshot
from holdfast_cli.states import has_ended
from holdfast_cli.waiting import OUTAGE_SECONDS, StatusPoll

#: How often the steps are looked at while nothing is pushed.
_TICK_SECONDS = 1.0
#: Looking takes at most this share of the time, however long a run's timeline is.
_SHARE = 10
#: The server says on its own when a state changes; a lost connection is noticed by asking.
_STATUS_EVENT = "status"


def changes(client: Client, instance_id: str) -> Iterator[Snapshot]:
    """Yield the run now, then whenever it changed; the last one is its end.

    Where the server pushes nothing, it is asked instead. Outages are waited out.
    """
    feed = _Feed(client, instance_id)
    snapshot = feed.first()
    yield snapshot
    while not has_ended(snapshot.status):
        following = feed.next(snapshot)
        if following != snapshot:
            snapshot = following
            yield snapshot


class _Feed:
    def __init__(self, client: Client, instance_id: str) -> None:
        self._client = client
        self._run = part(instance_id)
        self._poll = StatusPoll(client, instance_id)
        self._pushed: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stream = threading.Thread(target=self._listen, daemon=True)
        self._tick_seconds = _TICK_SECONDS
        #: What an older server, or a viewer's token, does not give is not asked for again.
        self._refused: set[str] = set()

    def first(self) -> Snapshot:
        """Ask without patience: a run that there is none of is said at once."""
        status = self._poll.ask(0)
        if not has_ended(status):
            self._stream.start()
        return self._with_steps(Snapshot(status))

    def next(self, last: Snapshot) -> Snapshot:
        """Return the run after a push, or after a while."""
        status = self._status()
        now = self._with_steps(replace(last, status=status))
        if has_ended(status):
            return replace(now, why="")
        if now != last:
            # It moved: what it waited for is no longer true.
            return replace(now, why="")
        return now if now.why else replace(now, why=self._why())

    def _status(self) -> dict[str, Any]:
        if self._stream.is_alive():
            with suppress(queue.Empty):
                status = self._pushed.get(timeout=self._tick_seconds)
                while not self._pushed.empty():
                    status = self._pushed.get()
                self._poll.last = status
            return self._poll.last
        with suppress(queue.Empty):
            self._poll.last = self._pushed.get_nowait()
            return self._poll.last
        status = self._poll.ask(self._tick_seconds, patience_seconds=OUTAGE_SECONDS)
        if not has_ended(status):
            self._poll.pause(self._tick_seconds)
        return status

    def _with_steps(self, snapshot: Snapshot) -> Snapshot:
        began = time.monotonic()
        document = self._optional("timeline")
        self._tick_seconds = max(_TICK_SECONDS, _SHARE * (time.monotonic() - began))
        if document is None:
            return snapshot
        return replace(
            snapshot, attempts=document.get("attempts", []), effects=document.get("effects", [])
        )

    def _why(self) -> str:
        document = self._optional("why")
        return str((document or {}).get("sentence", ""))

    def _optional(self, what: str) -> dict[str, Any] | None:
        if what in self._refused:
            return None
        try:
            document: dict[str, Any] = self._client.get(f"/runs/{self._run}/{what}").document
        except CliError as error:
            if error.code not in {ExitCode.UNAVAILABLE, ExitCode.UNREACHABLE}:
                self._refused.add(what)
            return None
        return document

    def _listen(self) -> None:
        # Its end, for whatever reason, makes the other thread ask instead. The reason may be that
        # the command is over and its connection closed: nobody is left to be told.
        with (
            suppress(Exception),
            self._client.events(f"/runs/{self._run}/stream") as events,
        ):
            for event in events:
                if event.event == _STATUS_EVENT:
                    self._pushed.put(json.loads(event.data))
