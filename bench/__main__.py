"""The commands behind `make bench` and `make bench-scaling`."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.measuring import Benchmark
from bench.plan import FULL, QUICK
from bench.processes import BenchError
from bench.scaling.commands import scaling, scaling_report
from bench.venvs import python_of
from holdfast_local.folders import repository

app = typer.Typer(help=__doc__, no_args_is_help=True)
app.command()(scaling)
app.command()(scaling_report)
_DOCS = repository() / "docs"
_MEASURED = repository() / ".run" / "bench-files" / "measured.json"


@app.command()
def run(
    *,
    quick: Annotated[bool, typer.Option(help="Minutes instead of an hour.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Measure these contestants.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repeats of each block.")] = None,
    docs: Annotated[Path, typer.Option(help="Where the report goes.")] = _DOCS,
) -> None:
    """Measure everybody, then write benchmarks.md, benchmarks.json and the charts."""
    console = Console()
    plan = QUICK if quick else FULL
    if repeats:
        plan = replace(plan, repeats=repeats)
    try:
        benchmark = Benchmark(plan, only or [], console, quick=quick)
        results = benchmark.run()
        write_report(benchmark.raw, docs)
    except BenchError as error:
        console.print(f"holdfast: {error}")
        raise typer.Exit(1) from None
    console.print(f"{results.minutes} minutes; {docs / 'benchmarks.md'}")


@app.command()
def report(
    measured: Annotated[Path, typer.Argument(help="What a run has kept.")] = _MEASURED,
    docs: Annotated[Path, typer.Option(help="Where the report goes.")] = _DOCS,
) -> None:
    """Write the report of a run again."""
    write_report(measured, docs)


def write_report(measured: Path, docs: Path) -> None:
    """Let the report's own environment, which has the statistics and the charts, write it."""
    done = subprocess.run(
        [python_of("report"), "-m", "bench.report", measured.absolute(), docs.absolute()],
        cwd=repository(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the report was not written: {done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    app()
