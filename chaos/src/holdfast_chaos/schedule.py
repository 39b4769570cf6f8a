"""A schedule: which runs are started and which faults strike them, in waves, from one seed.

It is plain data, so that it can be saved, replayed and shrunk. Nothing of the place where it is
played is in it: names of runs get a prefix there, and monitors their jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter, ValidationError

from holdfast_chaos.catalogue import FaultKind
from holdfast_chaos.declaration import Declaration
from holdfast_chaos.injection import FaultPlan
from holdfast_chaos.world import Aim
from holdfast_contracts.batch_processing import (
    BATCH_PROCESSING,
    GET_WORK_BATCH,
    PROCESS_RESULTS,
    PROCESS_WORK_ITEM,
)
from holdfast_contracts.book_trip import BOOK_CAR, BOOK_FLIGHT, BOOK_HOTEL, BOOK_TRIP
from holdfast_contracts.job_status_monitor import CHECK_JOB_STATUS, JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import AUTO_APPROVE, REQUEST_ESCALATION
from holdfast_contracts.task_chain import STEP1, STEP2, STEP3, TASK_CHAIN

#: What every fault finds under way, unless the patterns are narrowed.
CORE = (TASK_CHAIN.name, BATCH_PROCESSING.name, BOOK_TRIP.name)
PATTERNS = (*CORE, REQUEST_ESCALATION.name, JOB_STATUS_MONITOR.name)
FEWEST_RUNS = len(CORE) + 1
_LONG_WINDOW_SECONDS = 900.0
_SCARCE_CAR = "convertible"
#: The larger ones are split into children.
_LEGS = (24, 48, 96, 160)


class ScheduleError(ValueError):
    """A schedule cannot be made or read; the text says what to change."""


class Part(StrEnum):
    """What a client does for a run after its start."""

    NONE = "none"
    #: Approves the order before the fault strikes, or while what it struck is away.
    APPROVE = "approve"
    APPROVE_LATE = "approve-late"
    #: Cancels the trip while what was struck is away.
    CANCEL = "cancel"
    #: Lets the job that the monitor watches complete, or deletes it, after the fault.
    FINISH_JOB = "finish-job"
    DELETE_JOB = "delete-job"


@dataclass(frozen=True)
class PlannedRun:
    """A run to come. ``name`` gets a prefix where it is played."""

    name: str
    workflow: str
    input: Any
    part: Part = Part.NONE
    #: The step that stands while the wave gathers, and which of several; none: it goes its way.
    step: str | None = None
    index: int = 0


@dataclass(frozen=True)
class Wave:
    """A fault, the runs that are started for it to find, and the one that it is aimed at."""

    fault: FaultPlan | None
    runs: tuple[PlannedRun, ...]
    #: The name of a run of the wave.
    aimed: str
    #: How long after the runs' start a fault at a random moment strikes.
    delay_seconds: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """All waves, in order."""

    seed: int
    waves: tuple[Wave, ...]

    @property
    def faults(self) -> tuple[FaultPlan, ...]:
        """The faults to come."""
        return tuple(wave.fault for wave in self.waves if wave.fault is not None)

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """The runs to come."""
        return tuple(run for wave in self.waves for run in wave.runs)

    def save(self, file: Path) -> None:
        """Write the schedule as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_FORM.dump_json(self, indent=2) + b"\n")


_FORM: TypeAdapter[Schedule] = TypeAdapter(Schedule)
_WAVE: TypeAdapter[Wave] = TypeAdapter(Wave)


def load(file: Path) -> Schedule:
    """Return a saved schedule; raise ``ScheduleError`` if it is none."""
    try:
        return _FORM.validate_json(file.read_bytes())
    except OSError as error:
        raise ScheduleError(f"{file}: {error.strerror}") from error
    except ValidationError as error:
        raise ScheduleError(f"{file} is no schedule: {_first(error)}") from error


def wave_as_json(wave: Wave) -> dict[str, Any]:
    """Return a wave as plain data."""
    plain: dict[str, Any] = _WAVE.dump_python(wave, mode="json")
    return plain


def read_wave(plain: Any) -> Wave:
    """Return the wave that ``wave_as_json`` made plain data of; raise ``ScheduleError``."""
    try:
        return _WAVE.validate_python(plain)
    except ValidationError as error:
        raise ScheduleError(f"this is no wave: {_first(error)}") from error


def make_schedule(
    seed: int,
    kinds: Sequence[FaultKind],
    *,
    faults: int,
    runs: int,
    patterns: Sequence[str] = PATTERNS,
    declared: Sequence[Declaration] = (),
) -> Schedule:
    """Return the schedule of a seed: the same arguments give the same one.

    Every kind strikes before any strikes again, and every fault finds a run of each declared
    workflow under way. Raises ``ScheduleError``.
    """
    unknown = [name for name in patterns if name not in PATTERNS]
    if unknown or not (patterns or declared):
        raise ScheduleError(f"there is no pattern {unknown}; there are {', '.join(PATTERNS)}")
    if faults < 1 or not kinds:
        raise ScheduleError("a schedule needs at least one fault that can be done here")
    core = sum(name in patterns for name in CORE) + len(declared) or 1
    if runs < faults * core:
        raise ScheduleError(
            f"{faults} faults need at least {faults * core} runs: each is to find a run of "
            f"each pattern under way"
        )
    return _Scheduler(seed, kinds, tuple(patterns), declared).schedule(faults, runs)


class _Scheduler:
    def __init__(
        self,
        seed: int,
        kinds: Sequence[FaultKind],
        patterns: tuple[str, ...],
        declared: Sequence[Declaration],
    ) -> None:
        self._seed = seed
        self._random = Random(seed)
        self._kinds = kinds
        self._patterns = patterns
        self._declared = tuple(declared)
        self._numbers: dict[str, int] = {}

    def schedule(self, faults: int, runs: int) -> Schedule:
        order = self._order(faults)
        sizes = [runs // faults + (number < runs % faults) for number in range(faults)]
        extras = cycle(self._extras())
        waves = [
            self._wave(number, kind, size, extras)
            for number, (kind, size) in enumerate(zip(order, sizes, strict=True), 1)
        ]
        return Schedule(self._seed, tuple(waves))

    def _order(self, faults: int) -> list[FaultKind]:
        order: list[FaultKind] = []
        while len(order) < faults:
            order += self._random.sample(self._kinds, len(self._kinds))
        return order[:faults]

    def _wave(
        self, number: int, kind: FaultKind, size: int, extras: Iterator[Callable[[], PlannedRun]]
    ) -> Wave:
        makers = [self._makers()[name] for name in CORE if name in self._patterns]
        runs = [*(self._own(one) for one in self._declared), *(make() for make in makers)]
        aim = self._random.choice(self._aims())
        match aim:
            case Aim.AFTER_EVENT:
                aimed = self._order_run("order-aimed", _LONG_WINDOW_SECONDS, Part.NONE)
                runs.append(aimed)
            case Aim.AFTER_TIMER:
                aimed = self._order_run("order-timer", self._random.uniform(4, 7), Part.NONE)
                runs.append(aimed)
            case _:
                aimed = self._random.choice(runs) if runs else self._standing(extras)
                if aimed not in runs:
                    runs.append(aimed)
        while len(runs) < size:
            runs.append(next(extras)())
        fault = FaultPlan(
            id=f"fault-{number}",
            components=self._random.choice(kind.victims),
            aim=aim,
            kind=kind.name,
            deed=kind.deed,
            one=kind.one,
            hold_seconds=kind.hold_seconds,
        )
        return Wave(fault, tuple(runs), aimed.name, round(self._random.uniform(0, 0.4), 3))

    def _standing(self, extras: Iterator[Callable[[], PlannedRun]]) -> PlannedRun:
        """Return a run of the patterns that are wanted, held at the first step that it takes."""
        first = {
            REQUEST_ESCALATION.name: AUTO_APPROVE.name,
            JOB_STATUS_MONITOR.name: CHECK_JOB_STATUS.name,
            BOOK_TRIP.name: BOOK_FLIGHT.name,
            TASK_CHAIN.name: STEP1.name,
        }
        if self._patterns == (REQUEST_ESCALATION.name,):
            run = self._small_order()
        else:
            run = next(extras)()
            while run.workflow == REQUEST_ESCALATION.name:
                run = next(extras)()
        return replace(run, step=first[run.workflow])

    def _small_order(self) -> PlannedRun:
        order = {"amount": self._random.randint(1, 999)}
        return self._run("order-small", REQUEST_ESCALATION.name, order)

    def _aims(self) -> list[Aim]:
        timed = (Aim.AFTER_EVENT, Aim.AFTER_TIMER)
        people = REQUEST_ESCALATION.name in self._patterns
        return [aim for aim in Aim if people or aim not in timed]

    def _makers(self) -> dict[str, Callable[[], PlannedRun]]:
        draw = self._random
        return {
            TASK_CHAIN.name: lambda: replace(
                self._run("chain", TASK_CHAIN.name, draw.randint(1, 100_000)),
                step=draw.choice((STEP1.name, STEP2.name, STEP3.name)),
            ),
            BATCH_PROCESSING.name: self._batch,
            BOOK_TRIP.name: lambda: replace(
                self._trip("trip", "compact", Part.NONE),
                step=draw.choice((BOOK_FLIGHT.name, BOOK_HOTEL.name, BOOK_CAR.name)),
            ),
        }

    def _own(self, declared: Declaration) -> PlannedRun:
        payload = declared.start(self._random)
        name = declared.workflow.replace("_", "-")
        step = self._random.choice(declared.steps(payload))
        return replace(self._run(name, declared.workflow, payload), step=step)

    def _batch(self) -> PlannedRun:
        legs = self._random.choice(_LEGS)
        step = self._random.choice(
            (
                GET_WORK_BATCH.name,
                PROCESS_WORK_ITEM.name,
                PROCESS_WORK_ITEM.name,
                PROCESS_RESULTS.name,
            )
        )
        index = self._random.randrange(legs) if step == PROCESS_WORK_ITEM.name else 0
        run = self._run("batch", BATCH_PROCESSING.name, legs)
        return replace(run, step=step, index=index)

    def _extras(self) -> list[Callable[[], PlannedRun]]:
        """Return what else is under way, turn by turn, of the patterns that are wanted."""
        draw = self._random
        jobs = {
            part: lambda part=part: self._run(
                "monitor", JOB_STATUS_MONITOR.name, {"poll_interval_seconds": 1.0}, part
            )
            for part in (Part.FINISH_JOB, Part.DELETE_JOB)
        }
        every: list[tuple[str, Callable[[], PlannedRun]]] = [
            (
                REQUEST_ESCALATION.name,
                lambda: self._order_run("order-late", _LONG_WINDOW_SECONDS, Part.APPROVE_LATE),
            ),
            (JOB_STATUS_MONITOR.name, jobs[Part.FINISH_JOB]),
            (BOOK_TRIP.name, lambda: self._trip("trip-cancelled", "estate", Part.CANCEL)),
            (
                REQUEST_ESCALATION.name,
                lambda: self._order_run("order-timeout", draw.uniform(2, 12), Part.NONE),
            ),
            (BOOK_TRIP.name, lambda: self._trip("trip-scarce", _SCARCE_CAR, Part.NONE)),
            (
                TASK_CHAIN.name,
                lambda: self._run("chain-negative", TASK_CHAIN.name, -draw.randint(1, 1000)),
            ),
            (
                REQUEST_ESCALATION.name,
                lambda: self._order_run("order", _LONG_WINDOW_SECONDS, Part.APPROVE),
            ),
            (JOB_STATUS_MONITOR.name, jobs[Part.DELETE_JOB]),
            (REQUEST_ESCALATION.name, self._small_order),
        ]
        wanted = [make for name, make in every if name in self._patterns]
        return wanted or [
            *(make for name, make in self._makers().items() if name in self._patterns),
            *(partial(self._own, one) for one in self._declared),
        ]

    def _run(self, name: str, workflow: str, payload: Any, part: Part = Part.NONE) -> PlannedRun:
        self._numbers[name] = number = self._numbers.get(name, 0) + 1
        return PlannedRun(f"{name}-{number}", workflow, payload, part)

    def _order_run(self, name: str, window_seconds: float, part: Part) -> PlannedRun:
        order = {
            "amount": self._random.randint(1_000, 90_000),
            "approval_window_seconds": round(window_seconds, 1),
        }
        return self._run(name, REQUEST_ESCALATION.name, order, part)

    def _trip(self, name: str, car: str, part: Part) -> PlannedRun:
        trip = {
            "traveller": f"traveller-{self._random.randint(1, 999)}",
            "flight": self._random.choice(["AMS-JFK", "LHR-SIN", "HEL-NRT"]),
            "hotel": self._random.choice(["Harbour Hotel", "Station Hotel"]),
            "car": car,
        }
        return self._run(name, BOOK_TRIP.name, trip, part)


def without(
    schedule: Schedule, *, faults: Sequence[str] = (), runs: Sequence[str] = ()
) -> Schedule:
    """Return the schedule less some faults, by id, and some runs, by name.

    A run that a fault is aimed at goes only with its fault.
    """
    waves = []
    for wave in schedule.waves:
        fault = None if wave.fault is None or wave.fault.id in faults else wave.fault
        kept = tuple(
            _alone(run) if fault is None and run.name == wave.aimed else run
            for run in wave.runs
            if run.name not in runs or (fault is not None and run.name == wave.aimed)
        )
        if fault is not None or kept:
            waves.append(replace(wave, fault=fault, runs=kept))
    return replace(schedule, waves=tuple(waves))


def _first(error: ValidationError) -> str:
    """Return what is wrong first, and where."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _alone(run: PlannedRun) -> PlannedRun:
    """Return a run as it is when no fault is aimed at it: somebody else must decide the order."""
    waits = run.workflow == REQUEST_ESCALATION.name and run.part is Part.NONE
    return replace(run, part=Part.APPROVE) if waits else run
