"""Campaigns: schedules played one after the other, each with its certificate, and their sum."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.certificate import Certificate
from holdfast_chaos.coverage import KindCovered, met_together
from holdfast_chaos.play import Play, Watcher
from holdfast_chaos.schedule import CORE, Schedule, ScheduleError, load, wave_as_json
from holdfast_chaos.shrinking import shrink
from holdfast_chaos.site import Site
from holdfast_chaos.world import World
from holdfast_contracts.certificate import FAIL, PASS

SCHEDULE = "schedule.json"
SHRUNK = "shrunk.json"
_CERTIFICATE = "certificate.json"

#: A whole campaign: how many seeds, and the faults and runs of each.
SEEDS = 10
FAULTS = 24
RUNS = 120
#: How often each kind of fault has to find all core patterns under way at once in a whole one.
OFTEN_ENOUGH = 5


@dataclass(frozen=True)
class Performance:
    """A schedule that was played, and what came of it."""

    schedule: Schedule
    certificate: Certificate
    files: Mapping[str, Path]


def perform(
    schedule: Schedule, site: Site, folder: Path, watcher: Watcher, name: str = "certificate"
) -> Performance:
    """Play a schedule and write its certificate; the schedule is saved before anything is done."""
    schedule.save(folder / SCHEDULE if name == "certificate" else folder / f"{name}.schedule.json")
    started_at = datetime.now(UTC)
    world = Play(schedule, site, tag(started_at), watcher).play()
    certificate = certified(world, schedule.seed, site, started_at)
    return Performance(schedule, certificate, certificate.write(folder, name))


def certified(world: World, seed: int, site: Site, started_at: datetime) -> Certificate:
    """Return the certificate of what was played on a site up to now."""
    return Certificate(
        world,
        seed=seed,
        target=site.target.name,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        about=site.about,
    )


def shrunk(
    failed: Performance, site: Site, folder: Path, watcher: Watcher, seconds: float
) -> Schedule:
    """Return the smallest schedule that fails in an invariant that failed, in about that time.

    Each try is a play of its own on the same site.
    """
    red = _red(failed.certificate)
    until = time.monotonic() + seconds

    def fails(candidate: Schedule) -> bool:
        watcher.say(f"shrinking: {len(candidate.faults)} faults, {len(candidate.runs)} runs")
        again = perform(candidate, site, folder, watcher, "shrinking")
        return bool(_red(again.certificate) & red)

    small = shrink(failed.schedule, fails, may_go_on=lambda: time.monotonic() < until)
    small.save(folder / SHRUNK)
    return small


def tag(moment: datetime) -> str:
    """Return what the names of one performance's runs begin with; no other one has it."""
    return f"chaos-{int(moment.timestamp() * 1000):x}"


def _red(certificate: Certificate) -> set[str]:
    return {result.id for result in certificate.invariants if not result.holds}


@dataclass(frozen=True)
class Sum:
    """What the seeds of a campaign came to, read from their certificates."""

    certificates: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Sum:
        """Return the sum of the certificates that there are in a campaign's folder."""
        files = sorted(folder.glob(f"seed-*/{_CERTIFICATE}"))
        return cls([json.loads(file.read_text("utf-8")) for file in files])

    @property
    def passed(self) -> bool:
        """Tell whether every certificate says so, and a whole campaign met all that it is to."""
        held = all(one["verdict"] == PASS for one in self.certificates)
        return bool(self.certificates) and held and not self.too_seldom()

    @property
    def runs(self) -> int:
        """How many runs were asked for."""
        return sum(len(one["runs"]) for one in self.certificates)

    @property
    def faults(self) -> int:
        """How many faults there were."""
        return sum(len(one["faults"]) for one in self.certificates)

    @property
    def whole(self) -> bool:
        """Tell whether it is as large as a campaign is to be: of a smaller one less is wanted."""
        return self.faults >= SEEDS * FAULTS and self.runs >= SEEDS * RUNS

    def kinds(self) -> dict[str, KindCovered]:
        """Return what was covered, by kind of fault."""
        kinds: dict[str, KindCovered] = {}
        for one in self.certificates:
            for name, data in one["kinds"].items():
                kinds.setdefault(name, KindCovered()).add(data)
        return dict(sorted(kinds.items()))

    def core(self) -> tuple[str, ...]:
        """Return the core patterns that were played: all, unless the patterns were narrowed."""
        played = {run["workflow"] for one in self.certificates for run in one["runs"]}
        return tuple(name for name in CORE if name in played)

    def met(self) -> dict[str, int]:
        """Return how many faults of each kind found all core patterns under way at once."""
        core = self.core()
        met = Counter(dict.fromkeys(self.kinds(), 0))
        for one in self.certificates:
            met.update(met_together(one, core))
        return dict(met)

    def too_seldom(self) -> dict[str, int]:
        """Return the kinds of faults that did not meet the core often enough in a whole campaign.

        Of the kinds that struck at all: others were not asked for, or can't be done at the place.
        """
        if not self.whole:
            return {}
        return {kind: times for kind, times in self.met().items() if times < OFTEN_ENOUGH}

    def as_json(self) -> dict[str, Any]:
        """Return the sum in its published form."""
        ones = self.certificates
        kinds = self.kinds()
        return {
            "schema": "holdfast.chaos-campaign",
            "version": 1,
            "verdict": PASS if self.passed else FAIL,
            "seeds": [one["seed"] for one in ones],
            "runs": self.runs,
            "faults": self.faults,
            "void": sum(fault["void"] for one in ones for fault in one["faults"]),
            "effects": sum(one["effects"]["total"] for one in ones),
            "duplicated": sum(one["effects"]["duplicated"] for one in ones),
            "missing": sum(one["effects"]["missing"] for one in ones),
            "violations": {
                result["id"]: len(result["violations"])
                for one in ones
                for result in one["invariants"]
                if result["violations"]
            },
            "kinds": {name: kind.as_json() for name, kind in kinds.items()},
            "coverage": {
                "whole": self.whole,
                "core": list(self.core()),
                "wanted": OFTEN_ENOUGH,
                "met": self.met(),
                "too_seldom": self.too_seldom(),
                "not_struck": [name for name in KINDS if name not in kinds],
            },
        }


def campaign(
    schedules: Iterable[Schedule],
    play: Callable[[Schedule, Path], Performance],
    folder: Path,
    watcher: Watcher,
) -> Sum:
    """Play schedules; those that have their own certificate in the folder are not played.

    Each seed has a folder of its own, and the sum is written after each: what was interrupted goes
    on where it stood. A certificate of another schedule, such as a smaller one, is no reason.
    """
    certificates: list[Mapping[str, Any]] = []
    for schedule in schedules:
        place = folder / f"seed-{schedule.seed}"
        done = place / _CERTIFICATE
        if done.exists() and _saved_in(place, schedule):
            watcher.say(f"seed {schedule.seed}: has its certificate already")
        else:
            # Or what is interrupted now would be taken for done: the schedule is saved first.
            done.unlink(missing_ok=True)
            play(schedule, place)
        certificates.append(json.loads(done.read_text("utf-8")))
        text = json.dumps(Sum(certificates).as_json(), indent=2) + "\n"
        (folder / "campaign.json").write_text(text, "utf-8")
    return Sum(certificates)


def _saved_in(place: Path, schedule: Schedule) -> bool:
    """Tell whether what was begun in the place is this very schedule."""
    try:
        saved = load(place / SCHEDULE)
    except ScheduleError:
        return False
    return _plain(saved) == _plain(schedule)


def _plain(schedule: Schedule) -> list[dict[str, Any]]:
    return [wave_as_json(wave) for wave in schedule.waves]
