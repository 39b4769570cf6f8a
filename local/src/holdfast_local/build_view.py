"""Show how far a build is: a moving bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

#: Where no terminal shows a bar, a sign of life this often.
_QUIET_SECONDS = 15.0


class BuildView:
    """What the user sees of the builds, from the first download to the last link."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._label = ""
        self._unit = ""
        self._done = 0
        self._total: int | None = None
        self._started = self._spoke = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def begin(self, label: str, unit: str, total: int | None = None) -> None:
        """Begin a stage, of a known number of things or an unknown one."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(label, total=total, unit=unit)
        self._label, self._unit, self._done, self._total = label, unit, 0, total
        self._started = self._spoke = time.monotonic()

    def advance(self) -> None:
        """Count one thing of the stage as done."""
        self._done += 1
        if self._task is not None:
            self._bars.advance(self._task)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._spoke >= _QUIET_SECONDS:
            self._spoke = now
            done = f"{self._done} of {self._total}" if self._total else str(self._done)
            self.say(f"  {self._label}: {done} {self._unit}, {now - self._started:.0f} s")

    def end(self, text: str) -> None:
        """Take the stage's bar away and say what came of it, and in how long."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self.say(f"  {text} ({time.monotonic() - self._started:.0f} s)")
