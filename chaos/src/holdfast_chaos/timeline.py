"""The kill timeline as shapes: every run a lane, every attempt a bar, every kill a line."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from holdfast_chaos.certificate import by_workflow, shown_state
from holdfast_chaos.facts import Attempt, Effect
from holdfast_chaos.world import FaultRecord, World

WIDTH = 1240
GUTTER = 210
RIGHT = 24
LANE = 24
TALL = 64
HEADING = 26
#: A run with more attempts than this is drawn as a density and not bar by bar.
DENSE = 120
_NARROWEST = 2.5
_BUCKETS = 220
_MOST_LABELS = 14
_STEPS_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
PALETTE = 8


class Bar(NamedTuple):
    """An attempt, or a stack of a density."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    interrupted: bool
    title: str


class Mark(NamedTuple):
    """A point in time with a text."""

    x: float
    label: str
    row: int = 0


@dataclass
class Lane:
    """One run."""

    label: str
    state: str
    y: float
    height: float
    begin: float
    end: float
    dense: bool
    note: str
    bars: list[Bar] = field(default_factory=list)
    ticks: list[Mark] = field(default_factory=list)
    #: From an interrupted attempt to the one that took its place.
    gaps: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Group:
    """The runs of one workflow."""

    name: str
    y: float
    lanes: list[Lane]


@dataclass
class Chart:
    """Everything that the picture shows, in its coordinates."""

    width: float
    top: float
    height: float
    gutter: float
    right: float
    axis: list[Mark]
    kills: list[Mark]
    heals: list[tuple[float, float]]
    groups: list[Group]
    pods: list[tuple[int, str, int]]


class Scale(NamedTuple):
    """Time to the right."""

    begin: datetime
    end: datetime
    left: float
    right: float

    def __call__(self, moment: datetime) -> float:
        """Return where a moment is."""
        share = (moment - self.begin) / (self.end - self.begin)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 2)


def chart(world: World, names: Mapping[str, str]) -> Chart:
    """Return the whole workload as one picture; ``names`` says how faults are labelled."""
    scale = _scale(world)
    pods = _pods(world)
    rows = _rows([scale(fault.struck_at) for fault in world.faults])
    top = 34 + 20 * (max(rows, default=0) + 1)
    groups, height = _groups(world, scale, pods, float(top))
    counts = Counter(attempt.pod for attempt in world.ledger.attempts)
    return Chart(
        width=WIDTH,
        top=top,
        height=height + 12,
        gutter=GUTTER,
        right=WIDTH - RIGHT,
        axis=_axis(scale),
        kills=[
            Mark(scale(fault.struck_at), names[fault.id], row)
            for fault, row in zip(world.faults, rows, strict=True)
        ],
        heals=[
            (scale(fault.struck_at), max(1.0, scale(fault.healed_at) - scale(fault.struck_at)))
            for fault in world.faults
            if fault.healed_at is not None
        ],
        groups=groups,
        pods=[(colour, pod, counts[pod]) for pod, colour in pods.items()],
    )


@dataclass
class Close:
    """One interrupted step, close up: its attempts, the kill, the one effect."""

    key: str
    width: float
    bars: list[Bar]
    kill: float
    effect: float | None
    seconds: float | None
    attempts: int
    begin_label: str
    end_label: str


def close_up(world: World, fault: FaultRecord) -> Close | None:
    """Return the step that the fault interrupted, at its own scale."""
    pods = _pods(world)
    cut = [
        attempts
        for attempts in world.ledger.attempts_at.values()
        if len(attempts) > 1 and any(_cut_by(fault, attempt, world) for attempt in attempts)
    ]
    aimed = [attempts for attempts in cut if attempts[0].key in fault.keys]
    attempts = next(iter([*aimed, *cut]), None)
    if attempts is None:
        return None
    key = attempts[0].key
    effect = world.ledger.effect.get(key)
    moments = [attempt.started_at for attempt in attempts] + [fault.struck_at]
    moments += [attempt.finished_at for attempt in attempts if attempt.finished_at]
    moments += [effect.committed_at] if effect else []
    margin = max((max(moments) - min(moments)) * 0.06, timedelta(milliseconds=20))
    width = 420.0
    scale = Scale(min(moments) - margin, max(moments) + margin, 0.0, width)
    bars = [
        _bar(attempt, _stopped(attempt, world), scale, pods, 10.0 + 16.0 * row, 11.0)
        for row, attempt in enumerate(attempts[:4])
    ]
    return Close(
        key=key,
        width=width,
        bars=bars,
        kill=scale(fault.struck_at),
        effect=scale(effect.committed_at) if effect else None,
        seconds=(effect.committed_at - fault.struck_at).total_seconds() if effect else None,
        attempts=len(attempts),
        begin_label="0 s",
        end_label=f"{(scale.end - scale.begin).total_seconds():.1f} s",
    )


def _cut_by(fault: FaultRecord, attempt: Attempt, world: World) -> bool:
    """Tell whether the attempt was under way when the fault struck, and not cut off before."""
    return attempt.started_at <= fault.struck_at <= _stopped(attempt, world)


def _scale(world: World) -> Scale:
    starts = list(world.observations.accepted_at.values())
    starts += [attempt.started_at for attempt in world.ledger.attempts]
    ends = [effect.committed_at for effect in world.ledger.effects]
    ends += [history.ended_at for history in world.histories.values() if history.ended_at]
    ends += [fault.healed_at or fault.struck_at for fault in world.faults]
    begin = min([*starts, *ends], default=datetime.now(UTC))
    end = max([*ends, begin + timedelta(seconds=1)])
    margin = (end - begin) * 0.01
    return Scale(begin - margin, end + margin, GUTTER, WIDTH - RIGHT)


def _pods(world: World) -> dict[str, int]:
    """Return a colour for every process that made attempts, in the order of their coming."""
    ordered = sorted(world.ledger.attempts, key=lambda attempt: attempt.started_at)
    return {
        pod: number % PALETTE
        for number, pod in enumerate(dict.fromkeys(attempt.pod for attempt in ordered))
    }


def _rows(places: Sequence[float], room: float = 150.0) -> list[int]:
    """Put labels that would cover each other into different rows."""
    free: list[float] = []
    rows: list[int] = []
    for place in places:
        row = next((n for n, until in enumerate(free) if until <= place), len(free))
        free[row : row + 1] = [place + room]
        rows.append(row)
    return rows


def _axis(scale: Scale) -> list[Mark]:
    seconds = (scale.end - scale.begin).total_seconds()
    step = next((s for s in _STEPS_SECONDS if seconds / s <= _MOST_LABELS), 600)
    return [
        Mark(scale(scale.begin + timedelta(seconds=n * step)), f"{n * step:g} s")
        for n in range(math.floor(seconds / step) + 1)
    ]


def _groups(
    world: World, scale: Scale, pods: Mapping[str, int], y: float
) -> tuple[list[Group], float]:
    groups: list[Group] = []
    for name, runs in by_workflow(world.promised()).items():
        group = Group(name, y, [])
        y += HEADING
        for run in sorted(runs, key=lambda run: world.observations.accepted_at[run.instance]):
            dense = len(world.ledger.attempts_of.get(run.instance, ())) > DENSE
            lane = _lane(run.instance, world, scale, pods, y, dense=dense)
            group.lanes.append(lane)
            y += lane.height
        y += 8
        groups.append(group)
    return groups, y


def _lane(
    instance: str,
    world: World,
    scale: Scale,
    pods: Mapping[str, int],
    y: float,
    *,
    dense: bool,
) -> Lane:
    attempts = world.ledger.attempts_of.get(instance, ())
    effects = world.ledger.effects_of.get(instance, ())
    history = world.histories.get(instance)
    begin = scale(world.observations.accepted_at[instance])
    end = scale(history.ended_at) if history and history.ended_at else scale(scale.end)
    repeated = len(attempts) - len({attempt.key for attempt in attempts})
    note = f"{len(effects):,} effects" + (f", {repeated} repeated" if repeated else "")
    height = TALL if dense else LANE
    state = shown_state(world, instance) or "?"
    lane = Lane(instance, state, y, height, begin, end, dense, note)
    if dense:
        _fill_dense(lane, attempts, effects, world, scale, pods)
    else:
        _fill(lane, attempts, effects, world, scale, pods)
    return lane


def _fill(
    lane: Lane,
    attempts: Sequence[Attempt],
    effects: Sequence[Effect],
    world: World,
    scale: Scale,
    pods: Mapping[str, int],
) -> None:
    for attempt in attempts:
        bar = _bar(attempt, _stopped(attempt, world), scale, pods, lane.y + 6, 12)
        lane.bars.append(bar)
        if attempt.interrupted:
            later = [a for a in world.ledger.attempts_at[attempt.key] if a.id > attempt.id]
            if later:
                lane.gaps.append((bar.x + bar.width, scale(later[0].started_at)))
    lane.ticks = [Mark(scale(effect.committed_at), _effect_title(effect)) for effect in effects]


def _fill_dense(
    lane: Lane,
    attempts: Sequence[Attempt],
    effects: Sequence[Effect],
    world: World,
    scale: Scale,
    pods: Mapping[str, int],
) -> None:
    """Stack how many effects each process committed in each slice of the time."""
    slice_width = (scale.right - scale.left) / _BUCKETS
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for effect in effects:
        counts[int((scale(effect.committed_at) - scale.left) / slice_width)][effect.pod] += 1
    most = max((sum(count.values()) for count in counts.values()), default=1)
    floor, room = lane.y + lane.height - 8, lane.height - 16
    for place, count in sorted(counts.items()):
        base = floor
        for pod, number in count.items():
            tall = max(1.5, room * math.sqrt(number / most))
            x = round(scale.left + place * slice_width, 2)
            title = f"{number} effects by {pod}"
            base -= tall
            width = round(slice_width * 0.86, 2)
            lane.bars.append(
                Bar(x, base, width, tall, pods.get(pod, 0), interrupted=False, title=title)
            )
    for fault in world.faults:
        cut = [a for a in attempts if a.interrupted and _stopped(a, world) == fault.struck_at]
        if cut:
            lane.ticks.append(Mark(scale(fault.struck_at), f"{len(cut)} interrupted"))


def _bar(
    attempt: Attempt,
    end: datetime,
    scale: Scale,
    pods: Mapping[str, int],
    y: float,
    height: float,
) -> Bar:
    x = scale(attempt.started_at)
    width = max(_NARROWEST, round(scale(end) - x, 2))
    how = attempt.outcome or "interrupted"
    title = f"{attempt.step}: attempt {attempt.id} by {attempt.pod}, {how}"
    return Bar(x, y, width, height, pods.get(attempt.pod, 0), attempt.interrupted, title)


def _stopped(attempt: Attempt, world: World) -> datetime:
    """Return when an attempt ended: by itself, by the next kill, or else at once."""
    if attempt.finished_at is not None:
        return attempt.finished_at
    return min(_strikes_after(attempt.started_at, world.faults), default=attempt.started_at)


def _strikes_after(moment: datetime, faults: Iterable[FaultRecord]) -> list[datetime]:
    return [fault.struck_at for fault in faults if fault.struck_at >= moment]


def _effect_title(effect: Effect) -> str:
    return f"{effect.key} {effect.kind}"
