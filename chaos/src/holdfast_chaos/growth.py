"""What grows in a long run: sizes sampled again and again, and the trend of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import linear_regression, median
from typing import Any

HOUR_SECONDS = 3600.0
#: Fewer samples make no trend.
FEWEST = 3

#: Returns sizes in bytes by name: memory of processes or pods, databases.
Sizes = Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Trend:
    """How one size went."""

    name: str
    samples: int
    #: Medians of the first and of the last third, in bytes.
    first: float
    last: float
    #: Slope of the least-squares line, in bytes an hour; none: too few samples.
    per_hour: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it in its published form."""
        return {
            "samples": self.samples,
            "first_bytes": round(self.first),
            "last_bytes": round(self.last),
            "bytes_per_hour": None if self.per_hour is None else round(self.per_hour),
        }


@dataclass
class Samples:
    """Sizes by name, each with the moments at which they were read."""

    points: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    #: Reads that failed: what was asked may just have been struck.
    missed: int = 0

    def add(self, sizes: Mapping[str, float], moment: datetime) -> None:
        """Note what was read at a moment."""
        for name, size in sizes.items():
            self.points.setdefault(name, []).append((moment, size))

    def trends(self) -> list[Trend]:
        """Return how each size went, by name."""
        return [_trend(name, points) for name, points in sorted(self.points.items())]


@contextmanager
def sampling(sizes: Sizes, every_seconds: float) -> Iterator[Samples]:
    """Read sizes again and again, in a thread of its own, until the block ends."""
    samples, ended = Samples(), threading.Event()

    def read() -> None:
        while True:
            try:
                samples.add(sizes(), datetime.now(UTC))
            except Exception:  # noqa: BLE001 - whatever it is, the next read may succeed
                samples.missed += 1
            if ended.wait(every_seconds):
                return

    reader = threading.Thread(target=read, name="sizes", daemon=True)
    reader.start()
    try:
        yield samples
    finally:
        ended.set()
        reader.join()


def _trend(name: str, points: Sequence[tuple[datetime, float]]) -> Trend:
    values = [value for _, value in points]
    third = max(1, len(values) // 3)
    slope = None
    if len(points) >= FEWEST:
        hours = [(at - points[0][0]).total_seconds() / HOUR_SECONDS for at, _ in points]
        slope = linear_regression(hours, values).slope
    return Trend(name, len(values), median(values[:third]), median(values[-third:]), slope)
