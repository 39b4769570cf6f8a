"""The commands of ``python -m holdfast_cluster chaos``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
import psycopg
import typer
from kubernetes.client import ApiException
from rich.console import Console

from holdfast_chaos.campaign import Performance, Sum, campaign, perform, shrunk
from holdfast_chaos.catalogue import KINDS, FaultKind, possible
from holdfast_chaos.certificate import PASS
from holdfast_chaos.client import RefusedError
from holdfast_chaos.declaration import Declaration, DeclarationError, load_declaration
from holdfast_chaos.engine import NotReadableError
from holdfast_chaos.play import Watcher
from holdfast_chaos.schedule import PATTERNS, Schedule, ScheduleError, load, make_schedule
from holdfast_chaos.site import Site
from holdfast_chaos.soak import Limit, keep_playing
from holdfast_chaos.targets import TargetNotReadyError
from holdfast_chaos.targets.nodes import NodeError
from holdfast_chaos.tunnel import TunnelError
from holdfast_cluster.chaos.cluster_site import cluster_site
from holdfast_cluster.chaos.local_site import local_site
from holdfast_cluster.chaos.tables import show_campaign, show_performance, show_soak
from holdfast_cluster.errors import ClusterError
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


class On(StrEnum):
    """Where schedules are played."""

    CLUSTER = "cluster"
    LOCAL = "local"


Where = Annotated[On, typer.Option("--on", help="On a cluster, or on a stack of this machine.")]
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
    seed: Seed = None,
    faults: Faults = 24,
    runs: Runs = 120,
    kinds: Kinds = "",
    patterns: Patterns = "",
    declare: Declared = None,
    schedule: Saved = None,
    shrink: Minutes = _SHRINK_MINUTES,
) -> None:
    """Play one schedule and write its certificate; exit 0 only if it passed."""
    folder = repository() / ".run" / "chaos"
    chosen = secrets.randbelow(_LARGEST_SEED) if seed is None else seed
    with _failures(), _site(on, ctx.obj.name) as site:
        size = _Size(faults, runs, kinds, patterns, _declared(declare))
        planned = load(schedule) if schedule else size.schedule(chosen, site)
        _out.print(
            f"seed [bold]{planned.seed}[/]: {len(planned.runs)} runs, {len(planned.faults)} faults "
            f"on {site.target.name}",
            highlight=False,
        )
        watcher = _watcher()
        played = perform(planned, site, folder, watcher)
        show_performance(played, _out)
        if played.certificate.verdict != PASS and shrink and len(planned.faults) > 1:
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
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds, from 1.")] = 10,
    faults: Faults = 24,
    runs: Runs = 120,
    kinds: Kinds = "",
    patterns: Patterns = "",
    declare: Declared = None,
) -> None:
    """Play a schedule for each of several seeds, or for those that were not played yet."""
    folder = repository() / ".run" / "chaos" / f"campaign-{on.value}"
    with _failures(), _site(on, ctx.obj.name) as site:
        watcher = _watcher()
        size = _Size(faults, runs, kinds, patterns, _declared(declare))

        def play(seed: int, place: Path) -> Performance:
            planned = size.schedule(seed, site)
            watcher.say(f"seed {seed}: {len(planned.runs)} runs, {len(planned.faults)} faults")
            played = perform(planned, site, place, watcher)
            show_performance(played, _out)
            return played

        total = campaign(range(1, seeds + 1), play, folder, watcher)
    show_campaign(total, folder, _out)
    raise typer.Exit(0 if total.passed else 1)


@app.command()
def soak(
    ctx: typer.Context,
    *,
    on: Where = On.CLUSTER,
    seed: Seed = None,
    hours: Annotated[
        float, typer.Option("--hours", min=0, help="For how long; default: 1, or --total.")
    ] = 0,
    total: Annotated[int, typer.Option("--total", min=0, help="Until so many runs.")] = 0,
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds between samples.")] = 30,
) -> None:
    """Play schedule after schedule for hours; sample memory and databases; report what grows."""
    folder = repository() / ".run" / "chaos" / f"soak-{on.value}"
    first = secrets.randbelow(_LARGEST_SEED) if seed is None else seed
    with _failures(), _site(on, ctx.obj.name) as site:
        limit = Limit(hours or (1 if not total else None), total or None)
        size = _Size(24, 120, "", "", ())
        watcher = _watcher()

        def play(number: int) -> Performance:
            planned = size.schedule(first + number, site)
            watcher.say(f"seed {first + number}: {len(planned.runs)} runs")
            return perform(planned, site, folder / f"seed-{first + number}", watcher)

        soaked = keep_playing(play, limit, site.sizes, every, folder)
    show_soak(soaked, folder, _out)
    raise typer.Exit(0 if soaked.passed else 1)


@app.command("report")
def report(on: Where = On.CLUSTER) -> None:
    """Show what the campaign has come to so far."""
    folder = repository() / ".run" / "chaos" / f"campaign-{on.value}"
    total = Sum.read(folder)
    show_campaign(total, folder, _out)
    raise typer.Exit(0 if total.passed else 1)


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
        return make_schedule(
            seed,
            possible(site.target, _wanted(self.kinds)),
            faults=self.faults,
            runs=self.runs,
            patterns=_list(self.patterns) or (() if self.declared else PATTERNS),
            declared=self.declared,
        )


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


@contextmanager
def _site(on: On, name: str) -> Iterator[Site]:
    with cluster_site(name) if on is On.CLUSTER else local_site() as site:
        yield site


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
