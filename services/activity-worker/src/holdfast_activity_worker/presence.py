"""Tell every few seconds that this process is there, so that others can tell when none is."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from holdfast_activity_worker.session import in_a_line
from holdfast_servicekit.lasting import Lasting

SAY_EVERY_SECONDS = 2.0

_log = structlog.get_logger()

#: What is lost in a crash is said again in a moment.
_FORGETTABLE = text("SET LOCAL synchronous_commit = off")
_SAY = text("""
    INSERT INTO work.workers (pod, connected) VALUES (:pod, :connected)
    ON CONFLICT (pod) DO UPDATE
    SET connected = excluded.connected, seen_at = clock_timestamp()
""")
_FORGET = text("""
    DELETE FROM work.workers WHERE seen_at < clock_timestamp() - interval '1 hour' OR pod = :gone
""")


class Presence(Lasting):
    """A thread that says whether activities can reach this process; it is silent when frozen."""

    def __init__(self, engine: Engine, pod: str, missing: Callable[[], str | None]) -> None:
        super().__init__("presence", "the word of this process")
        self._engine = engine
        self._pod = pod
        self._missing = missing

    def stop(self) -> None:
        """Say good-bye, as far as the database is there to hear it."""
        super().stop()
        self._say(gone=True)

    def _run(self) -> None:
        while True:
            self._say(gone=False)
            if self._stop.wait(SAY_EVERY_SECONDS):
                return

    def _say(self, *, gone: bool) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(_FORGETTABLE)
                if not gone:
                    connected = self._missing() is None
                    connection.execute(_SAY, {"pod": self._pod, "connected": connected})
                connection.execute(_FORGET, {"gone": self._pod if gone else ""})
        except SQLAlchemyError as error:
            _log.warning("presence not told", error=in_a_line(error))
