"""Soak: schedule after schedule for hours, with an eye on everything that could grow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast_chaos.campaign import Performance
from holdfast_chaos.growth import HOUR_SECONDS, Samples, Sizes, sampling
from holdfast_contracts.certificate import FAIL, PASS


@dataclass(frozen=True)
class Limit:
    """When a soak ends: after so many hours, or so many runs, whichever is first."""

    hours: float | None
    runs: int | None

    def reached(self, soaked: Soak) -> bool:
        """Tell whether it is over."""
        late = self.hours is not None and soaked.hours >= self.hours
        return late or (self.runs is not None and soaked.runs >= self.runs)


@dataclass
class Soak:
    """What a soak has come to so far."""

    samples: Samples
    hours: float = 0.0
    runs: int = 0
    faults: int = 0
    seeds: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Tell whether every certificate passed."""
        return bool(self.seeds) and not self.failed

    def as_json(self) -> dict[str, Any]:
        """Return it in its published form."""
        return {
            "schema": "holdfast.soak",
            "version": 1,
            "verdict": PASS if self.passed else FAIL,
            "hours": round(self.hours, 3),
            "runs": self.runs,
            "faults": self.faults,
            "seeds": self.seeds,
            "failed": self.failed,
            "samples_missed": self.samples.missed,
            "growth": {trend.name: trend.as_json() for trend in self.samples.trends()},
        }


def keep_playing(
    play: Callable[[int], Performance],
    limit: Limit,
    sizes: Sizes,
    every_seconds: float,
    folder: Path,
) -> Soak:
    """Play until the limit is reached; what came of it is written after each schedule."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    with sampling(sizes, every_seconds) as samples:
        soaked = Soak(samples)
        number = 0
        while not limit.reached(soaked):
            played = play(number)
            number += 1
            soaked.seeds.append(played.schedule.seed)
            soaked.runs += len(played.certificate.world.runs)
            soaked.faults += len(played.certificate.world.faults)
            if played.certificate.verdict != PASS:
                soaked.failed.append(played.schedule.seed)
            soaked.hours = (time.monotonic() - began) / HOUR_SECONDS
            text = json.dumps(soaked.as_json(), indent=2) + "\n"
            (folder / "soak.json").write_text(text, "utf-8")
    return soaked
