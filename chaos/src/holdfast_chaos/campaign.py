"""Campaigns: schedules played one after the other, each with its certificate, and their sum."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast_chaos.certificate import Certificate
from holdfast_chaos.coverage import KindCovered
from holdfast_chaos.play import Play, Watcher
from holdfast_chaos.schedule import Schedule
from holdfast_chaos.shrinking import shrink
from holdfast_chaos.site import Site
from holdfast_chaos.world import World
from holdfast_contracts.certificate import FAIL, PASS

SCHEDULE = "schedule.json"
SHRUNK = "shrunk.json"


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
        files = sorted(folder.glob("seed-*/certificate.json"))
        return cls([json.loads(file.read_text("utf-8")) for file in files])

    @property
    def passed(self) -> bool:
        """Tell whether every certificate says so."""
        return bool(self.certificates) and all(one["verdict"] == PASS for one in self.certificates)

    def kinds(self) -> dict[str, KindCovered]:
        """Return what was covered, by kind of fault."""
        kinds: dict[str, KindCovered] = {}
        for one in self.certificates:
            for name, data in one["kinds"].items():
                kinds.setdefault(name, KindCovered()).add(data)
        return dict(sorted(kinds.items()))

    def as_json(self) -> dict[str, Any]:
        """Return the sum in its published form."""
        ones = self.certificates
        return {
            "schema": "holdfast.chaos-campaign",
            "version": 1,
            "verdict": PASS if self.passed else FAIL,
            "seeds": [one["seed"] for one in ones],
            "runs": sum(len(one["runs"]) for one in ones),
            "faults": sum(len(one["faults"]) for one in ones),
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
            "kinds": {name: kind.as_json() for name, kind in self.kinds().items()},
        }


def campaign(
    seeds: Sequence[int],
    play: Callable[[int, Path], Performance],
    folder: Path,
    watcher: Watcher,
) -> Sum:
    """Play a schedule for each seed; seeds that have a certificate in the folder are not played.

    Each seed has a folder of its own, and the sum is written after each: what was interrupted goes
    on where it stood.
    """
    certificates: list[Mapping[str, Any]] = []
    for seed in seeds:
        place = folder / f"seed-{seed}"
        done = place / "certificate.json"
        if done.exists():
            watcher.say(f"seed {seed}: has its certificate already")
        else:
            play(seed, place)
        certificates.append(json.loads(done.read_text("utf-8")))
        text = json.dumps(Sum(certificates).as_json(), indent=2) + "\n"
        (folder / "campaign.json").write_text(text, "utf-8")
    return Sum(certificates)
