"""The commands of ``python -m holdfast_cluster chaos``."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import psycopg
import typer
from kubernetes.client import ApiException
from rich.console import Console

from holdfast_chaos.campaign import (
    FAULTS,
    RUNS,
    SCHEDULE,
    SEEDS,
    Performance,
    Sum,
    campaign,
    perform,
    shrunk,
)
from holdfast_chaos.catalogue import KINDS, FaultKind, possible
from holdfast_chaos.client import RefusedError
from holdfast_chaos.declaration import Declaration, DeclarationError, load_declaration
from holdfast_chaos.engine import NotReadableError
from holdfast_chaos.play import Watcher
from holdfast_chaos.publishing import NotPublishedError, publish
from holdfast_chaos.schedule import PATTERNS, Schedule, ScheduleError, load, make_schedule
from holdfast_chaos.site import Site
from holdfast_chaos.soak import Limit, keep_playing
from holdfast_chaos.targets import TargetNotReadyError
from holdfast_chaos.targets.nodes import NodeError
from holdfast_chaos.tunnel import TunnelError
from holdfast_cluster.chaos.places import On, Place, open_site
from holdfast_cluster.chaos.tables import show_campaign, show_performance, show_soak
from holdfast_cluster.chaos.toolkit import exported
from holdfast_cluster.errors import ClusterError
from holdfast_contracts.certificate import PASS
from holdfast_local.errors import StackError
from holdfast_local.folders import repository
from holdfast_local.toolchain_errors import ToolchainError

app = typer.Typer(help="Kill pods in the middle of runs; prove that everything resumed.")
_out = Console()
_LARGEST_SEED = 1_000_000
_SHRINK_MINUTES = 15.0

#: What ends a campaign with its text and without a traceback.
_FAILURES = (
    ApiException,
    ClusterError,
    DeclarationError,
    NodeError,
    NotReadableError,
    RefusedError,
    ScheduleError,
    StackError,
    TargetNotReadyError,
    ToolchainError,
    TunnelError,
    httpx.HTTPError,
    psycopg.Error,
)


Where = Annotated[On, typer.Option("--on", help="On a cluster, or on a stack of this machine.")]
SiteOption = Annotated[
    Path | None,
    typer.Option("--site", help="A TOML file that names a cluster of yours; see docs/chaos.md."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Drives everything; default: a new one.")]
Faults = Annotated[int, typer.Option("--faults", min=1, help="How many faults.")]
Runs = Annotated[int, typer.Option("--runs", min=1, help="How many runs.")]
Kinds = Annotated[str, typer.Option("--kinds", help="Only these kinds of faults, with commas.")]
Patterns = Annotated[str, typer.Option("--patterns", help="Only these workflows, with commas.")]
Declared = Annotated[
    list[Path] | None,
    typer.Option("--declare", help="A Python file that declares a workflow of yours."),
]
Saved = Annotated[
    Path | None, typer.Option("--schedule", help="Play a saved schedule instead of a seed's.")
]
Minutes = Annotated[
    float, typer.Option("--shrink", min=0, help="Minutes to shrink a failing schedule; 0: none.")
]


@app.command()
def run(  # noqa: PLR0913 - a command's options
    ctx: typer.Context,
    *,
    on: Where = On.CLUSTER,
    site_file: SiteOption = None,
    seed: Seed = None,
    faults: Faults = FAULTS,
    runs: Runs = RUNS,
    kinds: Kinds = "",
    patterns: Patterns = "",
    declare: Declared = None,
    schedule: Saved = None,
    shrink: Minutes = _SHRINK_MINUTES,
) -> None:
    """Play one schedule and write its certificate; exit 0 only if it passed."""
    folder = repository() / ".run" / "chaos"
    chosen = secrets.randbelow(_LARGEST_SEED) if seed is None else seed
    with _failures(), _site(_place(ctx, on, site_file)) as site:
        size = _Size(faults, runs, kinds, patterns, _declared(declare))
        planned = load(schedule) if schedule else size.schedule(chosen, site)
        site.refuse(planned.faults)
        _out.print(
            f"seed [bold]{planned.seed}[/]: {len(planned.runs)} runs, {len(planned.faults)} faults "
            f"on {site.target.name}",
            highlight=False,
        )
        watcher = _watcher()
        played = perform(planned, site, folder, watcher)
        show_performance(played, _out)
        _publish(played, site)
        if played.certificate.verdict != PASS and shrink:
            small = shrunk(played, site, folder, watcher, shrink * 60)
            _out.print(
                f"still fails with {len(small.faults)} faults and {len(small.runs)} runs: "
                f"{folder / 'shrunk.json'}",
                highlight=False,
                soft_wrap=True,
            )
    raise typer.Exit(0 if played.certificate.verdict == PASS else 1)


@app.command("campaign")
def run_campaign(  # noqa: PLR0913 - a command's options
    ctx: typer.Context,
    *,
    on: Where = On.CLUSTER,
    site_file: SiteOption = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds, from 1.")] = SEEDS,
    faults: Faults = FAULTS,
    runs: Runs = RUNS,
    kinds: Kinds = "",
    patterns: Patterns = "",
    declare: Declared = None,
) -> None:
    """Play a schedule for each of several seeds, or for those that were not played yet."""
    folder = _campaign(_place(ctx, on, site_file))
    with _failures(), _site(_place(ctx, on, site_file)) as site:
        watcher = _watcher()
        size = _Size(faults, runs, kinds, patterns, _declared(declare))

        def play(planned: Schedule, place: Path) -> Performance:
            watcher.say(
                f"seed {planned.seed}: {len(planned.runs)} runs, {len(planned.faults)} faults"
            )
            played = perform(planned, site, place, watcher)
            show_performance(played, _out)
            _publish(played, site)
            return played

        schedules = (size.schedule(seed, site) for seed in range(1, seeds + 1))
        total = campaign(schedules, play, folder, watcher)
    show_campaign(total, folder, _out)
    raise typer.Exit(0 if total.passed else 1)


@app.command()
def soak(
    ctx: typer.Context,
    *,
    on: Where = On.CLUSTER,
    site_file: SiteOption = None,
    seed: Seed = None,
    hours: Annotated[
        float, typer.Option("--hours", min=0, help="For how long; default: 1, or --total.")
    ] = 0,
    total: Annotated[int, typer.Option("--total", min=0, help="Until so many runs.")] = 0,
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds between samples.")] = 30,
) -> None:
    """Play schedule after schedule for hours; sample memory and databases; report what grows."""
    folder = repository() / ".run" / "chaos" / f"soak-{_place(ctx, on, site_file).label}"
    first = secrets.randbelow(_LARGEST_SEED) if seed is None else seed
    with _failures(), _site(_place(ctx, on, site_file)) as site:
        limit = Limit(hours or (1 if not total else None), total or None)
        size = _Size(FAULTS, RUNS, "", "", ())
        watcher = _watcher()

        def play(number: int) -> Performance:
            planned = size.schedule(first + number, site)
            watcher.say(f"seed {first + number}: {len(planned.runs)} runs")
            return perform(planned, site, folder / f"seed-{first + number}", watcher)

        soaked = keep_playing(play, limit, site.sizes, every, folder)
    show_soak(soaked, folder, _out)
    raise typer.Exit(0 if soaked.passed else 1)


@app.command("report")
def report(ctx: typer.Context, on: Where = On.CLUSTER, site_file: SiteOption = None) -> None:
    """Show what the campaign has come to so far."""
    folder = _campaign(_place(ctx, on, site_file))
    total = Sum.read(folder)
    show_campaign(total, folder, _out)
    raise typer.Exit(0 if total.passed else 1)


@app.command()
def export(
    ctx: typer.Context,
    *,
    schedule: Annotated[
        Path | None, typer.Option("--schedule", help="A saved one; default: the last.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="The experiment's file; default: beside it.")
    ] = None,
    on: Where = On.CLUSTER,
    site_file: SiteOption = None,
    declare: Declared = None,
) -> None:
    """Write a saved schedule as an experiment of the Chaos Toolkit, for `chaos run`."""
    source = schedule or repository() / ".run" / "chaos" / SCHEDULE
    target = to or source.with_name("experiment.json")
    with _failures():
        _declared(declare)  # refuses here what would fail there
        planned = load(source)
        experiment = exported(planned, _place(ctx, on, site_file), tuple(declare or ()))
    target.write_text(json.dumps(experiment, indent=2) + "\n", "utf-8")
    _out.print(f"{len(planned.waves)} waves: {target}", highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class _Size:
    """What is asked of a schedule."""

    faults: int
    runs: int
    kinds: str
    patterns: str
    declared: tuple[Declaration, ...]

    def schedule(self, seed: int, site: Site) -> Schedule:
        """Return the schedule of a seed, with what can be done on the site."""
        wanted = _wanted(self.kinds)
        if self.kinds and (refused := site.refused(wanted)):
            said = [f"{name} is not done: {why}" for name, why in refused.items()]
            raise ScheduleError("; ".join(said))
        return make_schedule(
            seed,
            possible(site.target, wanted),
            faults=self.faults,
            runs=self.runs,
            patterns=_list(self.patterns) or (() if self.declared else PATTERNS),
            declared=self.declared,
        )


def _place(ctx: typer.Context, on: On, site_file: Path | None) -> Place:
    return Place(on, ctx.obj.name, site=site_file)


def _campaign(place: Place) -> Path:
    return repository() / ".run" / "chaos" / f"campaign-{place.label}"


@contextmanager
def _site(place: Place) -> Iterator[Site]:
    """Enter a place, and say which faults are not done there."""
    with open_site(place) as site:
        reasons: dict[str, list[str]] = {}
        for name, why in site.refused(KINDS.values()).items():
            reasons.setdefault(why, []).append(name)
        for why, names in reasons.items():
            _out.print(
                f"not done here: {', '.join(names)}: {why}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        yield site


def _publish(played: Performance, site: Site) -> None:
    """Hand the certificate in where the console will be there to show it; say so if it can't."""
    if not site.lasts:
        return
    try:
        said = f"  {publish(site.api, played.files)}"
    except NotPublishedError as error:
        said = f"  the console does not show this certificate: {error}"
    _out.print(said, markup=False, highlight=False, soft_wrap=True)


def _declared(files: list[Path] | None) -> tuple[Declaration, ...]:
    return tuple(load_declaration(file) for file in files or ())


def _wanted(names: str) -> list[FaultKind]:
    chosen = _list(names) or tuple(KINDS)
    unknown = [name for name in chosen if name not in KINDS]
    if unknown:
        raise ScheduleError(f"there is no kind {', '.join(unknown)}; there are {', '.join(KINDS)}")
    return [KINDS[name] for name in chosen]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _watcher() -> Watcher:
    began = time.monotonic()

    def say(text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        _out.print(f"[dim]{minutes:3d}:{seconds:02d}[/] ", end="")
        _out.print(text, markup=False, highlight=False, soft_wrap=True)

    def wave(number: int, of: int) -> None:
        say(f"wave {number} of {of}")

    return Watcher(say, wave)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        _out.print(f"holdfast: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _out.print("interrupted; what was struck has been put back")
        raise typer.Exit(130) from None
