"""How many requests are answered at once; those that are only held do not count.

A held request sleeps in a thread of its own, which costs little. What would cost much is as many
threads that work: they would stand in line for the database until each gives up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Turns:
    """A bound on the requests that are worked on; the rest wait for their turn."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    def bound(self, app: WSGIApplication) -> WSGIApplication:
        """Return the app within the bound. A body that is streamed is sent outside of it."""

        def bounded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            with self._free:
                return app(environ, start_response)

        return bounded

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give the turn away while the request at hand has nothing to do but to wait."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
