"""The commands behind `make bench-scaling`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import httpx
import psycopg
import typer
from kubernetes.client import ApiException
from rich.console import Console

from bench.processes import BenchError
from bench.scaling.chart import chart
from bench.scaling.coefficients import as_text, model_of
from bench.scaling.containers import MissingContainerError
from bench.scaling.measuring import Scaling
from bench.scaling.model import ModelError, full_load
from bench.scaling.page import page
from bench.scaling.plan import PLAN, Plan
from bench.scaling.site import scaling_site
from bench.scaling.windows import Measured
from bench.venvs import python_of
from holdfast_chaos.targets.nodes import NodeError
from holdfast_chaos.tunnel import TunnelError
from holdfast_cli.capacity import coefficients as kept
from holdfast_cluster.errors import ClusterError
from holdfast_local.build_view import BuildView
from holdfast_local.folders import repository
from holdfast_local.toolchain_errors import ToolchainError

_DOCS = repository() / "docs"
COEFFICIENTS = repository() / "cli" / "src" / "holdfast_cli" / "capacity" / kept.NAME
_FAILURES = (
    ApiException,
    BenchError,
    ClusterError,
    MissingContainerError,
    ModelError,
    NodeError,
    ToolchainError,
    TunnelError,
    httpx.HTTPError,
    psycopg.Error,
)
_console = Console()


def scaling(
    *,
    name: Annotated[str, typer.Option("--name", help="Which cluster.")] = "holdfast",
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of each deployment.")] = PLAN.repeats,
    minutes: Annotated[
        float, typer.Option(min=1, help="No block begins that would end later.")
    ] = PLAN.minutes,
    more: Annotated[bool, typer.Option(help="Add to what was measured before.")] = False,
    docs: Annotated[Path, typer.Option(help="Where scaling.json and the page go.")] = _DOCS,
) -> None:
    """Measure throughput by pods on the cluster, fit the costs, and write scaling.md of it.

    Numbers of pods are put back at the end, also when it is interrupted.
    """
    plan = Plan(PLAN.deployments, repeats, PLAN.loads, PLAN.warm_up, PLAN.legs, minutes)
    with _failures():
        with scaling_site(name, BuildView(_console)) as site:
            measured = Scaling(site, plan, _console, docs / "scaling.json", more=more).run()
        write(measured, docs)
    _console.print(f"{measured.minutes} minutes; {docs / 'scaling.md'}", highlight=False)


def scaling_report(
    docs: Annotated[Path, typer.Option(help="Where scaling.json is, and the page goes.")] = _DOCS,
) -> None:
    """Write page, chart and the command's costs of scaling.json again."""
    with _failures():
        write(Measured.read(docs / "scaling.json"), docs)


def write(measured: Measured, docs: Path) -> None:
    """Write the command's file, the page and the chart."""
    text = as_text(measured)
    COEFFICIENTS.write_text(text, "utf-8")
    (docs / "scaling.md").write_text(page_of(measured), "utf-8")
    _draw(measured, docs / "images" / "scaling.svg")


def page_of(measured: Measured) -> str:
    """Return the page of a measurement."""
    costs = kept.parsed(as_text(measured))
    return page(measured, model_of(measured), costs, full_load(measured))


def _draw(measured: Measured, picture: Path) -> None:
    """Let the report's own environment, which has the charts, draw it."""
    done = subprocess.run(
        [python_of("report"), "-m", "bench.report.scaling", picture.absolute()],
        cwd=repository(),
        input=json.dumps(chart(measured)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the chart was not drawn: {done.stderr.strip()[-2000:]}")


@contextmanager
def _failures() -> Iterator[None]:
    """Say in one line what went wrong; an interrupted measurement puts back what it changed."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except _FAILURES as error:
        _console.print(f"holdfast: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _console.print("interrupted; the numbers of pods have been put back")
        raise typer.Exit(130) from None


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
