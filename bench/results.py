"""What was measured, as it is kept: every repeat of every measure, and what it was taken on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One figure."""

    contestant: str
    #: A name with its unit at the end: ``chain_32_runs_per_s``.
    measure: str
    repeat: int
    value: float


@dataclass
class Results:
    """A run of the benchmark."""

    quick: bool
    #: When it began, in UTC, to the minute.
    began: str
    machine: dict[str, Any]
    #: Each contestant's title, versions and durability, in the order of the tables.
    contestants: dict[str, dict[str, Any]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    #: What could not be measured, and why.
    failures: list[str] = field(default_factory=list)
    minutes: float = 0.0

    def add(self, contestant: str, repeat: int, values: dict[str, float]) -> None:
        """Take in the figures of one step."""
        self.samples.extend(
            Sample(contestant, measure, repeat, value) for measure, value in values.items()
        )

    def repeats_of(self, contestant: str, measure: str) -> list[float]:
        """Return every repeat of a measure, in order."""
        return [
            sample.value
            for sample in self.samples
            if (sample.contestant, sample.measure) == (contestant, measure)
        ]

    def measures(self) -> list[str]:
        """Return the names of all measures, in the order in which they were first taken."""
        return list(dict.fromkeys(sample.measure for sample in self.samples))

    def write(self, path: Path) -> None:
        """Keep everything in a file."""
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return what a file keeps."""
        told = json.loads(path.read_text())
        samples = [Sample(**sample) for sample in told.pop("samples")]
        return cls(**told, samples=samples)
