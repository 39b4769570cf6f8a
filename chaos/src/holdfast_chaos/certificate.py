"""The resume certificate: what was broken, what came of it, and whether every invariant held."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from holdfast_chaos.coverage import KindCovered, covered
from holdfast_chaos.invariants import InvariantResult, check_all
from holdfast_chaos.invariants.i2_effects import difference
from holdfast_chaos.invariants.i10_recovery import Recovery, recoveries
from holdfast_chaos.statistics import summary
from holdfast_chaos.world import DeclaredRun, FaultRecord, World
from holdfast_contracts.certificate import FAIL, PASS, SCHEMA, VERSION


@dataclass(frozen=True)
class Certificate:
    """A checked world with what it takes to repeat it."""

    world: World
    seed: int
    target: str
    started_at: datetime
    finished_at: datetime
    #: Versions and settings that the reader wants to know.
    about: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def invariants(self) -> tuple[InvariantResult, ...]:
        """Every invariant, checked."""
        return check_all(self.world)

    @cached_property
    def recoveries(self) -> tuple[Recovery, ...]:
        """How long each run that a fault hit took to go on."""
        return recoveries(self.world)

    @property
    def verdict(self) -> str:
        """``pass`` when every invariant holds and at least one fault struck."""
        held = all(result.holds for result in self.invariants)
        return PASS if held and self.world.faults else FAIL

    def seconds(self, fault: str | None = None) -> list[float]:
        """Return the recovery times of one fault, or of all, in order."""
        return sorted(
            recovery.seconds
            for recovery in self.recoveries
            if recovery.seconds is not None and fault in {None, recovery.fault}
        )

    @cached_property
    def kinds(self) -> dict[str, KindCovered]:
        """What was covered, by kind of fault."""
        return covered(
            self.world, {fault.id: self.seconds(fault.id) for fault in self.world.faults}
        )

    @cached_property
    def attempts(self) -> Mapping[str, int]:
        """How many attempts there were, repeats of a key, and ones without an outcome."""
        attempts = self.world.ledger.attempts
        return {
            "total": len(attempts),
            "repeated": len(attempts) - len({attempt.key for attempt in attempts}),
            "interrupted": sum(attempt.interrupted for attempt in attempts),
        }

    @cached_property
    def effects(self) -> Mapping[str, int]:
        """How many effects there are, beyond the model and short of it."""
        found = difference(self.world)
        return {
            "total": len(self.world.ledger.effects),
            "duplicated": len(found.surplus),
            "missing": len(found.missing),
        }

    def as_json(self) -> dict[str, Any]:
        """Return the certificate in its published form."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "verdict": self.verdict,
            "seed": self.seed,
            "target": self.target,
            "started_at": _text(self.started_at),
            "finished_at": _text(self.finished_at),
            "about": dict(self.about),
            "faults": [self._fault(fault) for fault in self.world.faults],
            "kinds": {name: kind.as_json() for name, kind in self.kinds.items()},
            "runs": [self._run(run) for run in self.world.runs],
            "invariants": [
                {
                    "id": result.id,
                    "title": result.title,
                    "applies": result.applies,
                    "holds": result.holds,
                    "facts": result.facts,
                    "violations": list(result.violations),
                }
                for result in self.invariants
            ],
            "attempts": dict(self.attempts),
            "effects": dict(self.effects),
            "recovery_seconds": {
                **summary(self.seconds()),
                "faults": {
                    fault.id: summary(self.seconds(fault.id)) for fault in self.world.faults
                },
            },
        }

    def junit(self) -> JUnitXml:
        """Return one test case for each invariant."""
        suite = TestSuite("resume certificate")
        for result in self.invariants:
            case = TestCase(f"{result.id}: {result.title}", "holdfast.certificate")
            if not result.holds:
                case.result = [Failure("\n".join(result.violations))]
            suite.add_testcase(case)
        report = JUnitXml("holdfast")
        report.add_testsuite(suite)
        return report

    def write(self, folder: Path, name: str = "certificate") -> Mapping[str, Path]:
        """Write the certificate as JSON, JUnit and one HTML page; return the files by kind."""
        from holdfast_chaos.page import render  # noqa: PLC0415 - the page is made from us

        folder.mkdir(parents=True, exist_ok=True)
        files = {
            kind: folder / f"{name}.{ending}"
            for kind, ending in (("json", "json"), ("html", "html"), ("junit", "junit.xml"))
        }
        files["json"].write_text(json.dumps(self.as_json(), indent=2) + "\n", "utf-8")
        files["html"].write_text(render(self), "utf-8")
        self.junit().write(str(files["junit"]), pretty=True)
        return files

    def _fault(self, fault: FaultRecord) -> dict[str, Any]:
        return {
            "id": fault.id,
            "kind": fault.kind,
            "deed": fault.deed.value,
            "components": list(fault.components),
            "aim": fault.aim.value,
            "run": fault.run,
            "keys": list(fault.keys),
            "moment_at": _text(fault.moment_at),
            "struck_at": _text(fault.struck_at),
            "healed_at": _text(fault.healed_at),
            "before": dict(fault.before),
            "after": dict(fault.after),
            "witnessed": list(fault.witnessed),
            "in_flight": list(fault.in_flight),
            "sessions_ended": fault.sessions_ended,
            "void": fault.void,
            "void_because": fault.void_because,
        }

    def _run(self, run: DeclaredRun) -> dict[str, Any]:
        ledger, history = self.world.ledger, self.world.histories.get(run.instance)
        attempts = ledger.attempts_of.get(run.instance, ())
        started = self.world.observations.accepted_at.get(run.instance)
        return {
            "instance": run.instance,
            "workflow": run.workflow,
            "input": run.input,
            "state": shown_state(self.world, run.instance),
            "started_at": _text(started),
            "ended_at": _text(history.ended_at if history else None),
            "effects": len(ledger.effects_of.get(run.instance, ())),
            "attempts": len(attempts),
            "repeated": len(attempts) - len({attempt.key for attempt in attempts}),
            "interrupted": sum(attempt.interrupted for attempt in attempts),
            "faults": [f.id for f in self.world.faults if run.instance in f.in_flight],
        }


def shown_state(world: World, instance: str) -> str | None:
    """Return a run's state as the API showed it last, or else the engine's word."""
    polls = [poll for poll in world.observations.polls_of.get(instance, ()) if poll.state]
    if polls:
        return polls[-1].state
    history = world.histories.get(instance)
    return history.status if history else None


def by_workflow(runs: Sequence[DeclaredRun]) -> Mapping[str, list[DeclaredRun]]:
    """Return runs grouped by their workflow, in the order of first appearance."""
    groups: dict[str, list[DeclaredRun]] = defaultdict(list)
    for run in runs:
        groups[run.workflow].append(run)
    return groups


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
