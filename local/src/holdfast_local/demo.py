"""Six workflow patterns survive the violent death of every process that runs them.

Everything goes through the public HTTP API of a stack of its own; the kills are real, and the
verdict is the checker's.
"""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, LiteralString, NoReturn

import httpx
import psycopg
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from holdfast_chaos.aiming import EveryStep, OneStep
from holdfast_chaos.certificate import Certificate
from holdfast_chaos.client import Client, RefusedError
from holdfast_chaos.collect import collect
from holdfast_chaos.database import connect
from holdfast_chaos.engine import EngineReader, NotReadableError
from holdfast_chaos.histories import RunHistory
from holdfast_chaos.injection import FaultPlan, Injector, Moment
from holdfast_chaos.observations import EventSeen, Notebook, Poll
from holdfast_chaos.observer import Observer
from holdfast_chaos.publishing import NotPublishedError, publish
from holdfast_chaos.scheduler import busy, scheduler_jobs
from holdfast_chaos.targets import TargetNotReadyError
from holdfast_chaos.waiting import eventually, pause
from holdfast_chaos.world import GATED, DeclaredRun, FaultRecord, World
from holdfast_contracts.certificate import PASS
from holdfast_contracts.core import CANCEL, EffectKey
from holdfast_contracts.job_status_monitor import POLLS_PER_EPOCH
from holdfast_contracts.request_escalation import HUMAN_APPROVAL
from holdfast_local.demo_job import DigestJob, serving
from holdfast_local.demo_plan import Act, Plan, Scene, make_plan, read_legs
from holdfast_local.demo_view import View
from holdfast_local.errors import StackError
from holdfast_local.folders import repository
from holdfast_local.go_build import read_pin
from holdfast_local.stack import Stack
from holdfast_local.toolchain_errors import ToolchainError
from holdfast_local.witnesses import engine_of, etcd_url, target_of

STACK = "demo"
#: From the last kill's heal until every run has ended.
QUIET_SECONDS = 60.0
#: How long the harness waits for one run to do one thing.
_STEP_SECONDS = 30.0
_LARGEST_SEED = 1_000_000
#: A fan-out is under way when it has so many effects.
_FANNED_OUT = 40

_EFFECTS: LiteralString = "SELECT count(*) FROM work.effects WHERE instance = %s"
_POLLS: LiteralString = "SELECT count(DISTINCT key) FROM work.attempts WHERE instance = %s"
_SINCE: LiteralString = f"{_EFFECTS} AND committed_at > %s"

Seed = Annotated[int | None, typer.Option("--seed", help="Drives everything; default: a new one.")]
Legs = Annotated[
    Path | None,
    typer.Option("--legs", exists=True, dir_okay=False, help="CSV of legs: origin,destination."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the stack up afterwards.")]


#: What ends a demo with its text and without a traceback.
_FAILURES = (
    StackError,
    ToolchainError,
    RefusedError,
    TargetNotReadyError,
    NotReadableError,
    httpx.HTTPError,
    psycopg.Error,
    ValueError,
)


def demo(seed: Seed = None, legs: Legs = None, keep: Keep = False) -> None:  # noqa: FBT002 - a flag
    """Watch every pattern survive SIGKILL; write the certificate; exit 0 only if it says pass."""
    console = Console()
    chosen = secrets.randbelow(_LARGEST_SEED) if seed is None else seed
    try:
        with _ended_by_signals():
            certificate = Demo(console, chosen, legs, keep=keep).run()
    except _FAILURES as error:
        console.print(
            f"[bold red]✗[/] {type(error).__name__}: {error}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted; the stack is down")
        raise typer.Exit(130) from None
    raise typer.Exit(0 if certificate.verdict == PASS else 1)


class Demo:
    """One demo: the stack, the runs, the kills, the certificate."""

    def __init__(self, console: Console, seed: int, legs: Path | None, *, keep: bool) -> None:
        self._console = console
        self._seed = seed
        self._legs = legs
        self._keep = keep
        self._view = View(console)
        self._stack = Stack(STACK)
        self._sample = repository() / "samples" / "legs.csv"

    def run(self) -> Certificate:
        """Return the certificate after everything has been taken down."""
        began = time.monotonic()
        started_at = datetime.now(UTC)
        legs = read_legs(self._legs) if self._legs else ()
        self._console.print(f"seed [bold]{self._seed}[/]  (repeat with SEED={self._seed})")
        job = DigestJob(self._sample)
        with ExitStack() as cleaning:
            job_url = cleaning.enter_context(serving(job))
            plan = make_plan(self._seed, job_url, read_legs(self._sample), legs)
            self._stack.delete()
            if not self._keep:
                cleaning.callback(self._take_down)
            self._stack.up(self._step)
            world = self._perform(plan, job)
            certificate = Certificate(
                world,
                seed=self._seed,
                target="processes on one machine",
                started_at=started_at,
                finished_at=datetime.now(UTC),
                about=self._about(),
            )
            files = certificate.write(self._stack.folder.path)
            if self._keep:
                self._publish(files)
        self._report(certificate, files["html"], time.monotonic() - began)
        return certificate

    def _perform(self, plan: Plan, job: DigestJob) -> World:
        with ExitStack() as open_things:
            api = open_things.enter_context(
                httpx.Client(base_url=self._stack.api_url, auth=self._stack.auth(), timeout=10)
            )
            engine = open_things.enter_context(engine_of(self._stack))
            performance = Performance(self._stack, self._view, plan, api, engine)
            with self._view.live(self._stack.database_url):
                performance.play(job)
            self._console.print("[green]✓[/] all is quiet; reading ledger, histories, notes")
            return performance.world(etcd_url(self._stack))

    def _publish(self, files: Mapping[str, Path]) -> None:
        """Hand the certificate in to the stack that stays, so that its console shows it."""
        with httpx.Client(base_url=self._stack.api_url, auth=self._stack.auth()) as api:
            try:
                said = publish(api, files)
            except NotPublishedError as error:
                said = f"the console does not show this certificate: {error}"
        self._console.print(f"  {said}", markup=False, highlight=False, soft_wrap=True)

    def _about(self) -> dict[str, str]:
        with connect(self._stack.database_url) as connection:
            (postgres,) = connection.execute("SHOW server_version").fetchone() or ("?",)
        return {"Dapr": read_pin(repository()).version, "PostgreSQL": str(postgres).split()[0]}

    def _take_down(self) -> None:
        with self._console.status("taking the stack down"):
            self._stack.down()

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]")

    def _report(self, certificate: Certificate, page: Path, seconds: float) -> None:
        data = certificate.as_json()
        table = Table(box=box.SIMPLE_HEAD, title="invariants", title_justify="left")
        for name, justify in (
            ("", "left"),
            ("holds when", "left"),
            ("facts", "right"),
            ("", "left"),
        ):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for result in certificate.invariants:
            verdict = "[green]✓[/]" if result.holds else "[bold red]✗[/]"
            table.add_row(
                result.id,
                result.title,
                f"{result.facts:,}",
                verdict if result.applies else "[dim]-[/]",
            )
        self._console.print(table)
        for result in certificate.invariants:
            for violation in result.violations[:20]:
                self._console.print(f"[red]{result.id}[/] {violation}", highlight=False)
        effects, attempts, recovery = data["effects"], data["attempts"], data["recovery_seconds"]
        void = sum(fault["void"] for fault in data["faults"])
        self._console.print(
            f"  {len(data['faults'])} faults ({void} void), {len(data['runs'])} runs\n"
            f"  {effects['total']:,} effects: {effects['duplicated']} duplicated, "
            f"{effects['missing']} missing\n"
            f"  {attempts['total']:,} attempts: {attempts['repeated']} repeated, "
            f"{attempts['interrupted']} interrupted\n"
            f"  recovery p50 {recovery['p50']} s, p99 {recovery['p99']} s\n"
            f"  {seconds:.0f} s in all, seed {self._seed}\n"
            f"  {page}",
            highlight=False,
        )
        passed = certificate.verdict == PASS
        self._console.print("[bold green]PASS[/]" if passed else "[bold red]FAIL[/]")


class Performance:
    """Play a plan on a stack that is up."""

    def __init__(
        self, stack: Stack, view: View, plan: Plan, api: httpx.Client, engine: EngineReader
    ) -> None:
        self._stack = stack
        self._view = view
        self._plan = plan
        self._engine = engine
        self._notebook = Notebook()
        self._client = Client(api, self._notebook)
        self._observer = Observer(self._client, on_change=self._changed)
        self._faults: list[FaultRecord] = []
        self._approval_sent = False
        self._target = target_of(stack)
        self._injector = Injector(
            self._target, stack.database_url, self._observer.in_flight, self._struck
        )

    def play(self, job: DigestJob) -> None:
        """Return when every run has been started, every kill is done, and every run has ended."""
        plan = self._plan
        loaded = self._client.load(plan.batch_id, plan.legs)
        self._view.say(f"{len(loaded.legs):,} flight legs loaded")
        self._observer.start()
        try:
            job.begin(plan.job_seconds)
            for run in (plan.monitor, plan.approved, *plan.opening, plan.trip):
                self._start(run)
            self._until(f"{plan.trip.instance} to end", lambda: self._ended(plan.trip))
            for number, act in enumerate(plan.acts):
                pause(act.pause_seconds)
                if number == 1:
                    self._start(plan.late_trip)
                self._play_act(act)
                if Scene.MONITOR not in {later.scene for later in plan.acts[number + 1 :]}:
                    job.let_finish()
            self._approve()
            self._until("every run to end", lambda: not self._observer.in_flight(), QUIET_SECONDS)
        finally:
            self._observer.stop()

    def world(self, etcd_url: str) -> World:
        """Return what all witnesses say, once the engine has put its last reminders away."""
        eventually(lambda: not busy(scheduler_jobs(etcd_url)), _STEP_SECONDS)
        return collect(
            database_url=self._stack.database_url,
            engine=self._engine,
            runs=self._plan.runs,
            observations=self._notebook.observations(),
            faults=self._faults,
            jobs=scheduler_jobs(etcd_url),
            sample=self._plan.sample,
        )

    def _play_act(self, act: Act) -> None:
        fault = act.fault
        for run in act.joining:
            self._start(run)
        if fault.aim in GATED:
            with self._gate(act) as gate:
                self._start(act.run)
                cancel = (lambda: self._cancel(act)) if act.scene is Scene.TRIP else lambda: None
                record = self._injector.strike_at_gate(fault, gate, cancel)
        else:
            moments = {
                Scene.START: self._accepted_start,
                Scene.APPROVAL: self._accepted_approval,
                Scene.TIMER: self._due_timer,
            }
            record = self._injector.strike_behind(fault, lambda: moments[act.scene](act))
        self._faults.append(record)
        self._tell(record)
        self._await_resumption(record)

    def _gate(self, act: Act) -> EveryStep | OneStep:
        """Return what will stand in the way of the run that the act aims at."""
        url, aim, run = self._stack.database_url, act.fault.aim, act.run.instance
        if act.step is None:
            self._start(act.run)
            self._until(f"{run} to fan out", lambda: self._count(_EFFECTS, run) > _FANNED_OUT)
            return EveryStep(url, aim, run)
        # The monitor has made some polls before: the one after the next is aimed at.
        step = self._count(_POLLS, run) + 1 if act.scene is Scene.MONITOR else 0
        epoch, index = divmod(step, POLLS_PER_EPOCH)
        return OneStep(url, aim, EffectKey(run, epoch, act.step, index))

    def _accepted_start(self, act: Act) -> Moment:
        return Moment(self._start(act.run), act.run.instance)

    def _accepted_approval(self, act: Act) -> Moment | None:
        seen = self._approve()
        return Moment(seen.answered_at, act.run.instance) if seen and seen.accepted else None

    def _due_timer(self, act: Act) -> Moment | None:
        """Wait until the order's window closes: to the moment, as the engine's own timer has it."""
        self._start(act.run)
        due = self._due(act.run.instance)
        if due is None:
            return None
        pause((due - datetime.now(UTC)).total_seconds())
        return Moment(due, act.run.instance)

    def _due(self, instance: str) -> datetime | None:
        def timer() -> datetime | None:
            history: RunHistory | None = self._engine.history(instance)
            return history.timers[0][1] if history and history.timers else None

        return eventually(timer, _STEP_SECONDS)

    def _cancel(self, act: Act) -> None:
        """Cancel the trip that stands at the gate; return when the engine has the event."""
        seen = self._client.send(act.run.instance, CANCEL.name, {"reason": "changed plans"})
        self._view.say(f"{act.run.instance}: cancel accepted", "yellow")
        self._until(
            "the cancellation to be delivered",
            lambda: (
                self._client.event_states(act.run.instance).get(seen.event_id or "") != "pending"
            ),
            _STEP_SECONDS / 3,
        )

    def _approve(self) -> EventSeen | None:
        if self._approval_sent:
            return None
        self._approval_sent = True
        instance = self._plan.approved.instance
        approval = {"approved": True, "by": "the demo", "comment": "go ahead"}
        seen = self._client.send(instance, HUMAN_APPROVAL.name, approval)
        self._view.say(f"{instance}: approval accepted", "green")
        return seen

    def _start(self, run: DeclaredRun) -> datetime:
        """Have a run accepted, unless it was; return when the answer came."""
        if run.instance in self._observer.states():
            return datetime.now(UTC)
        self._view.run(run)
        seen = self._client.start(run.workflow, run.input, run.instance)
        self._observer.add(run.instance)
        self._view.say(f"{run.instance}: accepted")
        return seen.answered_at

    def _struck(self, plan: FaultPlan, moment: Moment) -> None:
        at = f" at {moment.keys[0]}" if moment.keys else ""
        more = f" and {len(moment.keys) - 1} more" if len(moment.keys) > 1 else ""
        self._view.say(
            f"☠ SIGKILL {', '.join(plan.components)} {plan.aim.value}{at}{more}", "bold red"
        )

    def _tell(self, record: FaultRecord) -> None:
        changes = ", ".join(
            f"{name} {record.before[name]} → {record.after[name]}" for name in record.components
        )
        if record.void:
            self._view.say(f"void: {record.void_because}", "bold red")
        healed = (record.healed_at or record.struck_at) - record.struck_at
        self._view.say(f"back after {healed.total_seconds():.1f} s: {changes}", "magenta")

    def _await_resumption(self, record: FaultRecord) -> None:
        """Return when the run that was aimed at has gone on, so that no two kills are one."""
        if record.run is None:
            return
        run, struck = record.run, record.struck_at
        self._until(
            f"{run} to go on after {record.id}",
            lambda: run not in self._observer.in_flight() or self._count(_SINCE, run, struck) > 0,
        )
        seconds = (datetime.now(UTC) - record.struck_at).total_seconds()
        self._view.say(f"{run}: resumed {seconds:.1f} s after the kill", "bold green")

    def _count(self, query: LiteralString, *values: object) -> int:
        with connect(self._stack.database_url, autocommit=True) as connection:
            row = connection.execute(query, values).fetchone()
        return int(row[0]) if row else 0

    def _ended(self, run: DeclaredRun) -> bool:
        return run.instance not in self._observer.in_flight()

    def _until(self, what: str, true: Callable[[], object], seconds: float = _STEP_SECONDS) -> None:
        """Wait for something. If it does not come, say so and go on: the checker will judge."""
        if not eventually(true, seconds):
            self._view.say(f"waited {seconds:.0f} s in vain for {what}", "bold red")

    def _changed(self, poll: Poll) -> None:
        self._view.state(poll.instance, poll.state or "?")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does: with everything taken down."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
