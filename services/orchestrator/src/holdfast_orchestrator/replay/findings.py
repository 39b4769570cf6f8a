"""What is wrong with a run under new code, what the engine makes of it, and the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Consequence(StrEnum):
    """What becomes of the run, worst first."""

    FAIL = "would fail"
    STALL = "would stall"
    DIFFER = "would go on as another"

    @property
    def rank(self) -> int:
        """Its place, the worst first."""
        return list(Consequence).index(self)


_SPLIT = (
    "keep the old path: put the change behind `if run.patched(…)`, or make it a new version and"
    " leave the function of the old one beside it (docs/versioning.md)"
)


class Kind(StrEnum):
    """In which way the code does not fit the run."""

    NAME = "name"
    KIND = "kind"
    MISSING = "missing"
    ENDS = "ends"
    RAISES = "raises"
    UNREGISTERED = "unregistered"
    VERSION = "version"
    PATCH = "patch"
    INPUT = "input"
    APP = "app"
    CHILD = "child id"
    EVENT = "event"
    EXTRA = "extra"
    GONE = "activity gone"
    REFUSED = "input refused"

    @property
    def consequence(self) -> Consequence:
        """What the engine makes of it."""
        if self in {Kind.VERSION, Kind.PATCH}:
            return Consequence.STALL
        differ = {Kind.INPUT, Kind.APP, Kind.CHILD, Kind.EVENT, Kind.EXTRA, Kind.ENDS}
        return Consequence.DIFFER if self in differ else Consequence.FAIL

    @property
    def way_out(self) -> str:
        """What to do about it."""
        return _WAYS_OUT.get(self, _SPLIT)


_WAYS_OUT = {
    Kind.RAISES: "let the code take what was recorded: give new fields a default, and keep reading"
    " what older code wrote",
    Kind.UNREGISTERED: "keep the workflow in the contract and its function registered until its"
    " last run has ended",
    Kind.VERSION: "register that version again, as a function of the name <workflow>_v<version>,"
    " until its last run has ended",
    Kind.PATCH: "ask for the same patches in the same order, until the last run that took them"
    " has ended",
    Kind.APP: "check the worker's app-id (HOLDFAST_WORKER_APP_ID): runs in flight keep calling the"
    " old app",
    Kind.GONE: "keep the activity on the worker until nobody waits for it",
    Kind.REFUSED: "let the activity take what was sent: give new fields of its command a default,"
    " and keep the old ones",
}


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit."""

    kind: Kind
    #: The number of the step in the history, where it is about one.
    step: int | None
    text: str

    def __str__(self) -> str:
        return f"step {self.step}: {self.text}" if self.step is not None else self.text


@dataclass
class Verdict:
    """What became of one run under the new code."""

    instance_id: str
    workflow: str
    version: str
    events: int
    findings: list[Finding] = field(default_factory=list)
    #: Why the engine holds the run back now, whatever the new code does.
    stalled_because: str = ""

    @property
    def fits(self) -> bool:
        """Whether the run goes on as if nothing had happened."""
        return not self.findings

    @property
    def worst(self) -> Finding:
        """The finding that decides: the first of the worst, for others may follow from it.

        A patch that the code does not ask for decides before all others: the run is stalled then,
        and whatever else is wrong does not come to pass.
        """
        return min(
            self.findings,
            key=lambda finding: (finding.kind is not Kind.PATCH, finding.kind.consequence.rank),
        )
