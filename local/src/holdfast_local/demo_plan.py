"""What the demo will do: every run, every kill and every pause, from one seed."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from holdfast_chaos.injection import FaultPlan
from holdfast_chaos.world import Aim, DeclaredRun
from holdfast_contracts.batch_processing import BATCH_PROCESSING
from holdfast_contracts.book_trip import BOOK_FLIGHT, BOOK_HOTEL, BOOK_TRIP
from holdfast_contracts.job_status_monitor import CHECK_JOB_STATUS, JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import REQUEST_ESCALATION
from holdfast_contracts.task_chain import STEP2, STEP3, TASK_CHAIN

#: What is killed: each alone, then all at once.
VICTIMS = ("orchestrator", "activity-worker", "orchestrator-sidecar", "activity-worker-sidecar")

FEWEST_LEGS = 1_000
_MOST_LEGS = 1_400
_LONG_WINDOW_SECONDS = 600.0
#: The one car that the inventory has once.
_SCARCE_CAR = "convertible"


class Scene(StrEnum):
    """What goes on around a kill."""

    CHAIN = "a chain between two of its steps"
    TRIP = "a trip that has just been cancelled"
    BATCH = "a batch in the middle of its fan-out"
    START = "a start that was just accepted"
    APPROVAL = "an approval that was just accepted"
    TIMER = "an order whose time has just run out"
    MONITOR = "a monitor's look at its job"


_AIMS: dict[Scene, tuple[Aim, ...]] = {
    Scene.CHAIN: (Aim.BEFORE_EFFECT, Aim.BEFORE_RETURN),
    Scene.TRIP: (Aim.BEFORE_EFFECT,),
    Scene.BATCH: (Aim.BEFORE_EFFECT, Aim.BEFORE_RETURN),
    Scene.START: (Aim.AFTER_START,),
    Scene.APPROVAL: (Aim.AFTER_EVENT,),
    Scene.TIMER: (Aim.AFTER_TIMER,),
    Scene.MONITOR: (Aim.BEFORE_EFFECT, Aim.BEFORE_RETURN),
}


@dataclass(frozen=True)
class Act:
    """One kill: the scene, whom it strikes and when, and which runs join just before."""

    scene: Scene
    fault: FaultPlan
    #: The run that the kill is aimed at.
    run: DeclaredRun
    #: The step of it that is struck, where it is a single one.
    step: str | None
    pause_seconds: float
    joining: tuple[DeclaredRun, ...]


@dataclass(frozen=True)
class Plan:
    """The whole demo."""

    seed: int
    batch_id: str
    legs: tuple[tuple[str, str], ...]
    sample: tuple[tuple[str, str], ...]
    job_seconds: float
    monitor: DeclaredRun
    approved: DeclaredRun
    opening: tuple[DeclaredRun, ...]
    #: Takes the scarce car; the one after it finds the cars sold out.
    trip: DeclaredRun
    late_trip: DeclaredRun
    acts: tuple[Act, ...]

    @property
    def runs(self) -> tuple[DeclaredRun, ...]:
        """Every run that the demo will ask for."""
        first = (self.monitor, self.approved, *self.opening, self.trip, self.late_trip)
        acted = (run for act in self.acts for run in (*act.joining, act.run))
        return tuple({run.instance: run for run in (*first, *acted)}.values())


def read_legs(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the rows of a CSV of legs; what is wrong with them, the API says."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [tuple(cell.strip() for cell in row) for row in csv.reader(file) if row]
    if not rows or rows[0] != ("origin", "destination"):
        raise ValueError(f"{path}: the first line must be origin,destination")
    return tuple((row[0], row[-1]) for row in rows[1:])


def make_plan(
    seed: int, job_url: str, sample: Sequence[tuple[str, str]], legs: Sequence[tuple[str, str]] = ()
) -> Plan:
    """Return the demo of a seed; the same seed and legs give the same demo."""
    return _Planner(seed, job_url, tuple(sample), tuple(legs)).plan()


class _Planner:
    def __init__(
        self,
        seed: int,
        job_url: str,
        sample: tuple[tuple[str, str], ...],
        legs: tuple[tuple[str, str], ...],
    ) -> None:
        self._seed = seed
        self._job_url = job_url
        self._random = Random(seed)  # noqa: S311 - it must be repeatable
        self._sample = sample
        self._legs = legs or self._some_of(sample)
        self._numbers: dict[str, int] = {}

    def plan(self) -> Plan:
        scenes = self._scenes()
        monitor = self._run("monitor", JOB_STATUS_MONITOR.name, self._job())
        approved = self._order("order-approved", _LONG_WINDOW_SECONDS)
        opening = [self._run("chain", TASK_CHAIN.name, 1)]
        if Scene.TIMER not in scenes:
            opening.append(self._order("order-timeout", self._random.uniform(4, 9)))
        aimed = [self._aimed(scene, monitor, approved) for scene in scenes]
        batch = aimed[scenes.index(Scene.BATCH)]
        acts = tuple(
            Act(
                scene=scene,
                fault=fault,
                run=run,
                step=self._step(scene),
                pause_seconds=round(self._random.uniform(0.1, 0.6), 2),
                joining=joining,
            )
            for scene, fault, run, joining in zip(
                scenes, self._faults(scenes), aimed, self._deal(len(scenes)), strict=True
            )
        )
        return Plan(
            seed=self._seed,
            batch_id=batch.input["batch_id"],
            legs=self._legs,
            sample=self._sample,
            job_seconds=round(self._random.uniform(14, 20), 1),
            monitor=monitor,
            approved=approved,
            opening=tuple(opening),
            trip=self._trip("trip", _SCARCE_CAR),
            late_trip=self._trip("trip-sold-out", _SCARCE_CAR),
            acts=acts,
        )

    def _some_of(self, sample: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        count = min(self._random.randint(FEWEST_LEGS, _MOST_LEGS), len(sample))
        first = self._random.randint(0, len(sample) - count)
        return sample[first : first + count]

    def _scenes(self) -> list[Scene]:
        """Choose five: a step, a saga and a fan-out always, and two of the others."""
        others = self._random.sample([Scene.START, Scene.APPROVAL, Scene.TIMER, Scene.MONITOR], 2)
        scenes = [Scene.CHAIN, Scene.TRIP, *others]
        self._random.shuffle(scenes)
        # Early, so that later kills find the batch still at work.
        scenes.insert(self._random.randint(0, 1), Scene.BATCH)
        return scenes

    def _faults(self, scenes: Sequence[Scene]) -> list[FaultPlan]:
        targets = [*((victim,) for victim in VICTIMS), VICTIMS]
        self._random.shuffle(targets)
        return [
            FaultPlan(f"fault-{number}", components, self._random.choice(_AIMS[scene]))
            for number, (scene, components) in enumerate(zip(scenes, targets, strict=True), 1)
        ]

    def _step(self, scene: Scene) -> str | None:
        """Choose the step to strike; the fan-out is struck in all that are under way at once."""
        steps = {
            Scene.CHAIN: (STEP2.name, STEP3.name),
            Scene.TRIP: (BOOK_FLIGHT.name, BOOK_HOTEL.name),
            Scene.MONITOR: (CHECK_JOB_STATUS.name,),
        }.get(scene)
        return self._random.choice(steps) if steps else None

    def _aimed(self, scene: Scene, monitor: DeclaredRun, approved: DeclaredRun) -> DeclaredRun:
        draw = self._random
        runs: dict[Scene, Callable[[], DeclaredRun]] = {
            Scene.CHAIN: self._chain,
            Scene.TRIP: lambda: self._trip("trip-cancelled", "estate"),
            Scene.BATCH: lambda: self._run(
                "batch", BATCH_PROCESSING.name, {"batch_id": f"demo-legs-{self._seed}"}
            ),
            Scene.START: lambda: self._run(
                "batch-sample", BATCH_PROCESSING.name, draw.randint(20, 60)
            ),
            Scene.APPROVAL: lambda: approved,
            Scene.TIMER: lambda: self._order("order-timeout", draw.uniform(1.5, 3)),
            Scene.MONITOR: lambda: monitor,
        }
        return runs[scene]()

    def _deal(self, acts: int) -> list[tuple[DeclaredRun, ...]]:
        """Spread the remaining runs over the acts."""
        deck = [
            *(self._chain() for _ in range(6)),
            self._run("chain-negative", TASK_CHAIN.name, -self._random.randint(1, 1000)),
            self._run(
                "order-small", REQUEST_ESCALATION.name, {"amount": self._random.randint(1, 999)}
            ),
            self._trip("trip-early", "compact"),
        ]
        self._random.shuffle(deck)
        return [tuple(deck[act::acts]) for act in range(acts)]

    def _run(self, name: str, workflow: str, payload: Any) -> DeclaredRun:
        self._numbers[name] = number = self._numbers.get(name, 0) + 1
        suffix = "" if number == 1 else f"-{number}"
        return DeclaredRun(f"{name}{suffix}", workflow, payload)

    def _chain(self) -> DeclaredRun:
        return self._run("chain", TASK_CHAIN.name, self._random.randint(2, 100_000))

    def _order(self, name: str, window_seconds: float) -> DeclaredRun:
        order = {
            "amount": self._random.randint(1_000, 90_000),
            "approval_window_seconds": round(window_seconds, 1),
        }
        return self._run(name, REQUEST_ESCALATION.name, order)

    def _trip(self, name: str, car: str) -> DeclaredRun:
        trip = {
            "traveller": f"traveller-{self._random.randint(1, 999)}",
            "flight": self._random.choice(["AMS-JFK", "LHR-SIN", "HEL-NRT"]),
            "hotel": self._random.choice(["Harbour Hotel", "Station Hotel"]),
            "car": car,
        }
        return self._run(name, BOOK_TRIP.name, trip)

    def _job(self) -> dict[str, Any]:
        return {"job_id": self._job_url, "poll_interval_seconds": 1.0}
