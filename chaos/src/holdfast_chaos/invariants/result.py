"""What a check returns: how many facts it looked at and what was wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class InvariantResult:
    """One invariant, checked."""

    id: str
    title: str
    #: How many single facts were compared.
    facts: int
    violations: tuple[str, ...]
    #: How many runs or faults of the workload call for this check.
    due: int

    @property
    def holds(self) -> bool:
        """Tell whether the invariant holds; one that had work and checked nothing does not."""
        return not self.violations

    @property
    def applies(self) -> bool:
        """Tell whether the workload had anything for this check."""
        return self.due > 0


@dataclass
class Tally:
    """Count facts and note violations while a check runs."""

    due: int = 0
    facts: int = 0
    violations: list[str] = field(default_factory=list)

    def check(self, holds: object, otherwise: str) -> bool:
        """Count one fact; note what is wrong where it does not hold. Return whether it holds."""
        self.facts += 1
        if not holds:
            self.violations.append(otherwise)
        return bool(holds)

    def result(self, identity: str, title: str) -> InvariantResult:
        """Return the outcome. A check that cannot fail is a defect, so it fails instead."""
        if self.due and not self.facts:
            self.violations.append(f"nothing was checked although the workload has {self.due}")
        return InvariantResult(identity, title, self.facts, tuple(self.violations), self.due)
