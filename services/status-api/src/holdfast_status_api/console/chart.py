"""A run's timeline as shapes: every step a lane, every attempt a bar, every effect a tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

from holdfast_status_api.console import shown

WIDTH = 1080
GUTTER = 210
RIGHT = 20
TOP = 30
LANE = 28
PALETTE = 8
#: A run with more steps than this has a lane for each step's name and pod.
MOST_LANES = 40
_NARROWEST = 3.0
_MOST_LABELS = 8
_LONGEST_LABEL = 30
_STEPS_SECONDS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800, 2592000, 31536000),
)


class Attempt(Protocol):
    """What a lane needs to know of an attempt."""

    id: int
    key: str
    pod: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None


class Effect(Protocol):
    """What a lane needs to know of an effect."""

    key: str
    kind: str
    pod: str
    committed_at: datetime


class Bar(NamedTuple):
    """An attempt, or some that overlap."""

    x: float
    width: float
    colour: int
    interrupted: bool
    failed: bool
    title: str


class Tick(NamedTuple):
    """A moment."""

    x: float
    label: str


@dataclass
class Lane:
    """One step of the run."""

    label: str
    y: float
    note: str
    bars: list[Bar] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    #: From an interrupted attempt to the one that took its place.
    gaps: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """Everything that the picture shows, in its coordinates."""

    height: float
    axis: list[Tick]
    lanes: list[Lane]
    pods: list[tuple[int, str, int]]
    attempts: int
    interrupted: int
    effects: int

    @property
    def summary(self) -> str:
        """Say what the picture shows to whoever does not see it."""
        cut = f", {self.interrupted} of them interrupted" if self.interrupted else ""
        return (
            f"{_count(self.attempts, 'attempt')}{cut}, on {_count(len(self.pods), 'process')};"
            f" {_count(self.effects, 'effect')}."
        )


class _Scale(NamedTuple):
    begin: datetime
    end: datetime

    def __call__(self, moment: datetime) -> float:
        share = (moment - self.begin) / (self.end - self.begin)
        return round(GUTTER + min(max(share, 0.0), 1.0) * (WIDTH - GUTTER - RIGHT), 2)


def draw(
    attempts: Sequence[Attempt],
    effects: Sequence[Effect],
    *,
    until: datetime,
    over: bool,
) -> Chart | None:
    """Return the picture of a run up to a moment, or ``None`` if nothing was tried yet.

    An attempt without an outcome was interrupted if another one of its step came after it, or if
    the run is over; else it is still under way.
    """
    if not attempts:
        return None
    scale = _scale(attempts, effects, until)
    pods = {pod: number % PALETTE for number, pod in enumerate(_in_order(a.pod for a in attempts))}
    cut = interrupted(attempts, over=over)
    by_key: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_key.setdefault(attempt.key, []).append(attempt)
    done: dict[str, list[Effect]] = {}
    for effect in effects:
        done.setdefault(effect.key, []).append(effect)
    dense = len(by_key) > MOST_LANES
    groups: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in attempts:
        place = (_step(attempt.key), attempt.pod) if dense else (attempt.key, "")
        groups.setdefault(place, []).append(attempt)
    lanes = []
    for number, ((name, pod), members) in enumerate(groups.items()):
        told = f"{_note(members, cut)}{f' on {pod}' if dense else ''}"
        lane = Lane(name if dense else label(name), TOP + number * LANE, told)
        bars = _merged(members, scale, pods, cut, until) if dense else None
        lane.bars = bars or [_bar(a, scale, pods, cut, until) for a in members]
        if not dense:
            lane.gaps = _gaps(members, scale, cut)
            lane.ticks = [_tick(effect, scale) for effect in done.get(name, [])]
        lanes.append(lane)
    counts = {pod: sum(a.pod == pod for a in attempts) for pod in pods}
    return Chart(
        height=TOP + len(lanes) * LANE + 8,
        axis=_axis(scale),
        lanes=lanes,
        pods=[(colour, pod, counts[pod]) for pod, colour in pods.items()],
        attempts=len(attempts),
        interrupted=len(cut),
        effects=len(effects),
    )


def interrupted(attempts: Sequence[Attempt], *, over: bool) -> set[int]:
    """Return which attempts were cut off before they could tell how they went."""
    last = {a.key: a.id for a in sorted(attempts, key=lambda a: a.id)}
    return {a.id for a in attempts if a.outcome is None and (over or last[a.key] != a.id)}


def _scale(attempts: Sequence[Attempt], effects: Sequence[Effect], until: datetime) -> _Scale:
    begin = min(a.started_at for a in attempts)
    moments = [a.finished_at for a in attempts if a.finished_at is not None]
    moments += [effect.committed_at for effect in effects]
    if any(a.outcome is None for a in attempts) or not moments:
        moments.append(until)
    end = max(*moments, begin + timedelta(milliseconds=20))
    return _Scale(begin, end)


def _bar(
    attempt: Attempt, scale: _Scale, pods: Mapping[str, int], cut: set[int], until: datetime
) -> Bar:
    begin, end = scale(attempt.started_at), scale(attempt.finished_at or until)
    lost = attempt.id in cut
    how = "interrupted" if lost else attempt.outcome or "under way"
    if lost:
        # Nobody knows when it ended; the shape says that it began.
        end = begin + 12
    took = shown.duration(attempt.started_at, attempt.finished_at)
    return Bar(
        begin,
        max(_NARROWEST, round(end - begin, 2)),
        pods[attempt.pod],
        lost,
        attempt.outcome in {"failed", "refused"},
        f"{label(attempt.key)}: {how} on {attempt.pod}, {took}",
    )


def _merged(
    members: Sequence[Attempt],
    scale: _Scale,
    pods: Mapping[str, int],
    cut: set[int],
    until: datetime,
) -> list[Bar]:
    """Return one bar for each time in which attempts of a lane overlap, and those cut off."""
    bars: list[Bar] = []
    spans = sorted((_bar(a, scale, pods, cut, until) for a in members), key=lambda bar: bar.x)
    for bar in (b for b in spans if not b.interrupted):
        last = bars[-1] if bars else None
        if last is not None and bar.x <= last.x + last.width + 1 and bar.failed == last.failed:
            width = max(last.width, round(bar.x + bar.width - last.x, 2))
            bars[-1] = last._replace(width=width, title="several attempts")
        else:
            bars.append(bar)
    return bars + [b for b in spans if b.interrupted]


def _gaps(members: Sequence[Attempt], scale: _Scale, cut: set[int]) -> list[tuple[float, float]]:
    in_order = sorted(members, key=lambda a: a.id)
    return [
        (scale(first.started_at) + 12, scale(then.started_at))
        for first, then in pairwise(in_order)
        if first.id in cut and scale(then.started_at) > scale(first.started_at) + 12
    ]


def _tick(effect: Effect, scale: _Scale) -> Tick:
    what = "effect" if effect.kind == "effect" else effect.kind
    return Tick(scale(effect.committed_at), f"{label(effect.key)}: {what} committed")


def _note(members: Sequence[Attempt], cut: set[int]) -> str:
    lost = sum(a.id in cut for a in members)
    return f"{_count(len(members), 'attempt')}{f', {lost} interrupted' if lost else ''}"


def _axis(scale: _Scale) -> list[Tick]:
    length = (scale.end - scale.begin).total_seconds()
    step = next((s for s in _STEPS_SECONDS if length / s <= _MOST_LABELS), _STEPS_SECONDS[-1])
    marks = []
    for number in range(int(length / step) + 1):
        at = scale.begin + timedelta(seconds=number * step)
        label = (
            at.astimezone(UTC).strftime("%H:%M:%S") if number == 0 else f"+{_offset(number * step)}"
        )
        marks.append(Tick(scale(at), label))
    return marks


def _offset(value: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= 2 * size or (value >= size and value % size == 0):
            return f"{value / size:g} {unit}"
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"


def label(key: str) -> str:
    """Return an effect key as people read it: the step, and which one of them."""
    parts = key.split("|")
    if len(parts) != len(("instance", "epoch", "step", "index")):
        return key[:_LONGEST_LABEL]
    _, epoch, step, index = parts
    turn = f" turn {int(epoch) + 1}" if epoch.isdigit() and int(epoch) else ""
    number = f" #{index}" if index != "0" else ""
    return f"{step}{number}{turn}"


def _step(key: str) -> str:
    parts = key.split("|")
    return parts[2] if len(parts) == len(("instance", "epoch", "step", "index")) else key


def _in_order(pods: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(pods))


def _count(number: int, noun: str) -> str:
    plural = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural}"
