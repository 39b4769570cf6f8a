"""A run at one moment, and what is new since the moment before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from holdfast_cli.output import cell, moment, printable
from holdfast_cli.states import has_ended
from holdfast_cli.views import error_of, failure, step_name

Document = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """What is known of a run: its status, its steps, and what it waits for."""

    status: Document
    attempts: list[Document] = field(default_factory=list)
    effects: list[Document] = field(default_factory=list)
    #: One sentence; empty when nobody asked, or the run has ended.
    why: str = ""


@dataclass(frozen=True)
class Change:
    """One thing that happened, for people and for programs."""

    at: str | None
    what: str
    document: Document

    @property
    def text(self) -> str:
        """The change in one line."""
        return printable(f"{moment(self.at)}  {self.what}" if self.at else self.what)


def news(before: Snapshot | None, now: Snapshot) -> Iterator[Change]:
    """Yield what changed, oldest first; of the first snapshot, all of it."""
    old = before or Snapshot({})
    steps = [*_of_attempts(old, now), *_of_effects(old, now)]
    yield from sorted(steps, key=lambda change: change.at or "")
    state = now.status.get("state")
    if state != old.status.get("state"):
        at = now.status.get("finished_at" if has_ended(now.status) else "updated_at")
        yield Change(at, f"run {_end(now.status)}", {"change": "state", "status": now.status})
    if now.why and now.why != old.why:
        yield Change(None, now.why, {"change": "why", "sentence": now.why})


def _of_attempts(old: Snapshot, now: Snapshot) -> Iterator[Change]:
    known = {attempt.get("id"): attempt for attempt in old.attempts}
    for attempt in now.attempts:
        before = known.get(attempt.get("id"))
        name = _full_name(attempt, now.status)
        if before is None:
            what = f"{name} started on {attempt.get('pod')}"
            yield Change(attempt.get("started_at"), what, {"change": "attempt", **attempt})
        # What was committed is told by its effect.
        outcome = attempt.get("outcome")
        if outcome not in {None, "committed"} and (before or {}).get("outcome") != outcome:
            what = f"{name} {outcome}"
            if reason := error_of(attempt):
                what += f": {reason}"
            yield Change(attempt.get("finished_at"), what, {"change": "outcome", **attempt})


def _of_effects(old: Snapshot, now: Snapshot) -> Iterator[Change]:
    known = {effect.get("key") for effect in old.effects}
    for effect in now.effects:
        if effect.get("key") not in known:
            verb = "is cancelled" if effect.get("kind") == "cancelled" else "done"
            what = f"{_full_name(effect, now.status)} {verb}"
            yield Change(effect.get("committed_at"), what, {"change": "effect", **effect})


def _full_name(entry: Document, status: Document) -> str:
    runner = entry.get("runner")
    name = step_name(entry)
    return name if runner in {None, status.get("instance_id")} else f"{runner} {name}"


def _end(status: Document) -> str:
    text = str(status.get("state"))
    reason = failure(status)
    if reason is not None:
        return f"{text}: {reason.plain}"
    if has_ended(status) and status.get("output") is not None:
        return f"{text}: {cell(status['output']).plain}"
    return text
