"""Play a schedule: start each wave's runs, strike, heal, and at the end gather the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import LiteralString

import psycopg

from holdfast_chaos.aiming import Company, OneStep
from holdfast_chaos.client import Client
from holdfast_chaos.collect import collect
from holdfast_chaos.database import connect
from holdfast_chaos.histories import RunHistory
from holdfast_chaos.injection import FaultPlan, Injector, Moment
from holdfast_chaos.observations import EventSeen, Notebook
from holdfast_chaos.observer import Observer
from holdfast_chaos.schedule import Part, PlannedRun, Schedule, Wave
from holdfast_chaos.scheduler import busy
from holdfast_chaos.site import Site
from holdfast_chaos.waiting import eventually, pause
from holdfast_chaos.world import GATED, Aim, DeclaredRun, FaultRecord, World
from holdfast_contracts.core import CANCEL, EffectKey
from holdfast_contracts.job_status_monitor import JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import HUMAN_APPROVAL

#: How long the harness waits for one run to do one thing.
STEP_SECONDS = 30.0
#: Who stands at the gate by then is under way, and the others have not far to go.
_GATHER_SECONDS = 6.0
#: How long the observer leaves the API in peace between two looks at all runs.
_LOOK_SECONDS = 0.2

#: The run that these are aimed at begins when all others are under way.
_STARTED_LAST = frozenset({Aim.AFTER_START, Aim.AFTER_TIMER})

_SINCE: LiteralString = (
    "SELECT count(*) FROM work.effects WHERE instance = %s AND committed_at > %s"
)


@dataclass(frozen=True)
class Watcher:
    """Who is told how it goes."""

    say: Callable[[str], None] = field(default=lambda _text: None)
    wave: Callable[[int, int], None] = field(default=lambda _number, _of: None)


class Play:
    """One schedule on one site."""

    def __init__(self, schedule: Schedule, site: Site, tag: str, watcher: Watcher) -> None:
        """Take the schedule; ``tag`` begins the names of its runs, and no others on the site."""
        self._schedule = schedule
        self._site = site
        self._tag = tag
        self._watcher = watcher
        self._notebook = Notebook()
        self._client = Client(site.api, self._notebook)
        self._observer = Observer(self._client, pause_seconds=_LOOK_SECONDS)
        self._runs: dict[str, DeclaredRun] = {}
        self._faults: list[FaultRecord] = []
        self._injector = Injector(
            site.target,
            site.database_url,
            self._observer.in_flight,
            self._struck,
            heal_seconds=site.heal_seconds,
        )
        self._aside = ThreadPoolExecutor(4, thread_name_prefix="client")
        self._late: dict[str, Future[EventSeen]] = {}
        self._wave: Wave | None = None

    def play(self) -> World:
        """Return what all witnesses say when every run has ended, or should have."""
        waves = self._schedule.waves
        with self.watching():
            for number, wave in enumerate(waves, 1):
                self._watcher.wave(number, len(waves))
                self.play_wave(wave)
            self.wait_for_ends()
        return self.facts()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch all runs for the block; waves are played in it, and in no other time."""
        self._observer.start()
        try:
            yield
        finally:
            self._observer.stop()
            self._aside.shutdown()

    def wait_for_ends(self) -> None:
        """Return when every run has ended, or should have."""
        quiet = self._site.bounds.terminal_seconds
        self._until("every run to end", lambda: not self._observer.in_flight(), quiet)

    def in_flight(self) -> tuple[str, ...]:
        """Return the runs that have not been seen to end."""
        return self._observer.in_flight()

    def facts(self) -> World:
        """Return what all witnesses say, once it is quiet."""
        eventually(lambda: not busy(self._jobs()), STEP_SECONDS, every=0.5)
        return collect(
            database_url=self._site.database_url,
            engine=self._site.engine,
            runs=tuple(self._runs.values()),
            observations=self._notebook.observations(),
            faults=self._faults,
            sample=self._site.sample,
            jobs=self._jobs(),
            bounds=self._site.bounds,
            scope=f"{self._tag}-",
        )

    def play_wave(self, wave: Wave) -> FaultRecord | None:
        """Start the wave's runs, strike, heal, and return when what was aimed at has gone on."""
        self._wave = wave
        fault = wave.fault
        self._site.refuse([] if fault is None else [fault])
        if fault is None:
            for run in wave.runs:
                self._start(run)
        else:
            self._watcher.say(
                f"{fault.id}: {fault.kind} of {', '.join(fault.components)}, {fault.aim.value}"
            )
            record = self._strike(fault, wave)
            self._faults.append(record)
            self._tell(record)
        self._act_late(wave)
        for run in wave.runs:
            self._afterwards(run)
        if fault is not None:
            self._await_resumption(self._faults[-1])
        for future in self._late.values():
            future.result()
        self._late.clear()
        return None if fault is None else self._faults[-1]

    def _strike(self, fault: FaultPlan, wave: Wave) -> FaultRecord:
        """Start the wave's runs so that some of each pattern stand at a step, then strike."""
        aimed = next(run for run in wave.runs if run.name == wave.aimed)
        with self._company(fault, wave, aimed) as company:
            for run in wave.runs:
                if run is not aimed or fault.aim not in _STARTED_LAST:
                    self._start(run)
            company.gather(_GATHER_SECONDS)
            if fault.aim in GATED:
                return self._injector.strike_at_gate(fault, company)
            if fault.aim is Aim.RANDOM:
                company.open()
                pause(wave.delay_seconds)
                return self._injector.strike_now(fault)
            moments = {
                Aim.AFTER_START: self._accepted_start,
                Aim.AFTER_EVENT: self._accepted_approval,
                Aim.AFTER_TIMER: self._due_timer,
            }
            return self._injector.strike_behind(
                fault, lambda: moments[fault.aim](aimed), company.open
            )

    def _company(self, fault: FaultPlan, wave: Wave, aimed: PlannedRun) -> Company:
        def gate(run: PlannedRun, aim: Aim) -> OneStep:
            key = EffectKey(self._name(run), 0, run.step or "", run.index)
            return OneStep(self._site.database_url, aim, key)

        gated = fault.aim in GATED
        late = aimed if gated or fault.aim is Aim.AFTER_START else None
        return Company(
            self._name(aimed),
            gate(aimed, fault.aim) if gated else None,
            [gate(run, Aim.BEFORE_EFFECT) for run in wave.runs if run.step and run is not late],
        )

    def _accepted_start(self, run: PlannedRun) -> Moment:
        return Moment(self._start(run), self._name(run))

    def _accepted_approval(self, run: PlannedRun) -> Moment | None:
        seen = self._approve(run)
        return Moment(seen.answered_at, self._name(run)) if seen.accepted else None

    def _due_timer(self, run: PlannedRun) -> Moment | None:
        """Wait until the order's window closes: to the moment, as the engine's own timer has it."""
        self._start(run)
        name = self._name(run)

        def timer() -> datetime | None:
            history: RunHistory | None = self._site.engine.history(name)
            return history.timers[0][1] if history and history.timers else None

        due = eventually(timer, STEP_SECONDS)
        if due is None:
            return None
        pause((due - datetime.now(UTC)).total_seconds())
        return Moment(due, name)

    def _start(self, run: PlannedRun) -> datetime:
        name = self._name(run)
        payload = run.input
        if run.workflow == JOB_STATUS_MONITOR.name:
            payload = {**payload, "job_id": self._site.jobs.begin(name)}
        self._runs[name] = DeclaredRun(name, run.workflow, payload)
        seen = self._client.start(run.workflow, payload, name)
        self._observer.add(name)
        if run.part is Part.APPROVE:
            self._approve(run)
        return seen.answered_at

    def _approve(self, run: PlannedRun) -> EventSeen:
        data = {"approved": True, "by": "the harness", "comment": "go ahead"}
        return self._client.send(self._name(run), HUMAN_APPROVAL.name, data)

    def _struck(self, plan: FaultPlan, moment: Moment) -> None:
        """Have the client go on as if nothing had happened, while what was struck is away."""
        at = f" at {', '.join(moment.keys[:3])}" if moment.keys else ""
        self._watcher.say(f"{plan.id}: struck{at}; {len(self._observer.in_flight())} under way")
        if self._wave is not None:
            self._act_late(self._wave)

    def _act_late(self, wave: Wave) -> None:
        """Do the part of each run that is due from the strike on, unless it is being done."""
        acts = {Part.APPROVE_LATE: self._approve, Part.CANCEL: self._cancel}
        for run in wave.runs:
            if run.part in acts and run.name not in self._late:
                self._late[run.name] = self._aside.submit(acts[run.part], run)

    def _cancel(self, run: PlannedRun) -> EventSeen:
        # A trip that has ended meanwhile cannot be cancelled: that is an answer, too.
        return self._client.send(self._name(run), CANCEL.name, {"reason": "changed plans"})

    def _afterwards(self, run: PlannedRun) -> None:
        match run.part:
            case Part.FINISH_JOB:
                self._site.jobs.finish(self._name(run))
            case Part.DELETE_JOB:
                self._site.jobs.delete(self._name(run))
            case _:
                return

    def _tell(self, record: FaultRecord) -> None:
        if record.void:
            self._watcher.say(f"{record.id}: void: {record.void_because}")
            return
        seconds = ((record.healed_at or record.struck_at) - record.struck_at).total_seconds()
        self._watcher.say(f"{record.id}: all serve again after {seconds:.1f} s")

    def _await_resumption(self, record: FaultRecord) -> None:
        """Return when the run that was aimed at has gone on, so that no two faults are one."""
        if record.run is None:
            return
        run, struck = record.run, record.struck_at
        self._until(
            f"{run} to go on after {record.id}",
            lambda: run not in self._observer.in_flight() or self._goes_on(run, struck),
        )

    def _goes_on(self, run: str, since: datetime) -> bool:
        with suppress(psycopg.Error), connect(self._site.database_url, autocommit=True) as asked:
            row = asked.execute(_SINCE, (run, since)).fetchone()
            return bool(row and row[0])
        return False

    def _until(self, what: str, true: Callable[[], object], seconds: float = STEP_SECONDS) -> None:
        """Wait for something. If it does not come, say so and go on: the checker will judge."""
        if not eventually(true, seconds):
            self._watcher.say(f"waited {seconds:.0f} s in vain for {what}")

    def _jobs(self) -> tuple[str, ...]:
        return tuple(job for job in self._site.scheduler_jobs() if f"||{self._tag}-" in job)

    def _name(self, run: PlannedRun) -> str:
        return f"{self._tag}-{run.name}"
