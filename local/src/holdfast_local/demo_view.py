"""What the demo shows while it runs: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from holdfast_chaos.database import connect
from holdfast_chaos.world import DeclaredRun

_STYLES = {
    "COMPLETED": "green",
    "FAILED": "red",
    "CANCELLED": "yellow",
    "RUNNING": "cyan",
    "PENDING": "dim",
}
_NEWS = 14
_REFRESH_SECONDS = 0.25
_PROGRESS = """
    SELECT a.instance, a.step, a.attempts, a.keys, coalesce(e.effects, 0)
    FROM (
        SELECT instance, (array_agg(step ORDER BY id DESC))[1] AS step, count(*) AS attempts,
               count(DISTINCT key) AS keys
        FROM work.attempts GROUP BY instance
    ) a LEFT JOIN (
        SELECT instance, count(*) AS effects FROM work.effects GROUP BY instance
    ) e USING (instance)
"""


@dataclass
class Progress:
    """How far a run is, by the ledger."""

    step: str = ""
    attempts: int = 0
    repeated: int = 0
    effects: int = 0


@dataclass
class View:
    """Collects news and shows them; safe to be told things by several threads."""

    console: Console
    _began: float = field(default_factory=time.monotonic)
    _news: deque[Text] = field(default_factory=lambda: deque(maxlen=_NEWS))
    _runs: dict[str, DeclaredRun] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)
    _progress: dict[str, Progress] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _live: Live | None = None

    def say(self, text: str, style: str = "") -> None:
        """Tell of something that happened."""
        line = Text(f"{time.monotonic() - self._began:6.1f} s  ", style="dim")
        line.append(text, style)
        with self._lock:
            self._news.append(line)
        if self._live is None:
            self.console.print(line, soft_wrap=True)

    def run(self, run: DeclaredRun) -> None:
        """Show a run from now on."""
        with self._lock:
            self._runs[run.instance] = run

    def state(self, instance: str, state: str) -> None:
        """Show a run's new state."""
        with self._lock:
            self._states[instance] = state
        if state not in {"PENDING", "RUNNING"}:
            self.say(f"{instance}: {state.lower()}", _STYLES.get(state, ""))

    @contextmanager
    def live(self, database_url: str) -> Iterator[None]:
        """Keep the picture up to date while the block runs."""
        if not self.console.is_terminal:
            yield
            return
        with _repeatedly(lambda: self._read(database_url)):
            live = Live(self, console=self.console, refresh_per_second=8, transient=True)
            with live:
                self._live = live
                try:
                    yield
                finally:
                    self._live = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            news = Panel(
                Group(*self._news), title="what happens", title_align="left", box=box.ROUNDED
            )
            yield Group(self._table(), news)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False)
        for name in ("run", "workflow", "state", "last step"):
            table.add_column(name, no_wrap=True)
        for name in ("effects", "attempts", "repeated"):
            table.add_column(name, justify="right", no_wrap=True)
        for instance, run in self._runs.items():
            state = self._states.get(instance, "…")
            progress = self._progress.get(instance, Progress())
            table.add_row(
                escape(instance),
                run.workflow,
                Text(state.lower(), _STYLES.get(state, "")),
                progress.step,
                f"{progress.effects:,}",
                f"{progress.attempts:,}",
                Text(str(progress.repeated), "bold magenta") if progress.repeated else "",
            )
        return table

    def _read(self, database_url: str) -> None:
        try:
            with connect(database_url, autocommit=True) as connection:
                rows = connection.execute(_PROGRESS).fetchall()
        except psycopg.Error:
            return  # the picture stays as it was
        with self._lock:
            self._progress = {
                str(instance): Progress(str(step), attempts, attempts - keys, effects)
                for instance, step, attempts, keys, effects in rows
            }


@contextmanager
def _repeatedly(action: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(_REFRESH_SECONDS):
            action()

    thread = threading.Thread(target=loop, name="demo-view", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
