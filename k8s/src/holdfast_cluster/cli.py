"""The commands of ``python -m holdfast_cluster``."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from holdfast_cluster import cluster, live
from holdfast_cluster import deploy as deployment
from holdfast_cluster.chaos.cli import app as chaos
from holdfast_cluster.cluster import Wishes
from holdfast_cluster.dapr import NAMESPACE
from holdfast_cluster.doctor import examine, examine_elsewhere
from holdfast_cluster.engine import find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder, clusters_of
from holdfast_cluster.registry import Images
from holdfast_local.build_view import BuildView
from holdfast_local.folders import repository
from holdfast_local.toolchain import ensure_tools
from holdfast_local.toolchain_errors import ToolchainError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
app.add_typer(chaos, name="chaos")
_out = Console()
_err = Console(stderr=True)


@app.callback()
def wishes(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--name", "-n", help="Which cluster.")] = "holdfast",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The status API's, on loopback.")
    ] = 8480,
    images: Annotated[
        Images, typer.Option(help="Pull images, build them all here, or find out.")
    ] = Images.AUTO,
    registry: Annotated[str, typer.Option(help="A mirror of the official registries.")] = "",
) -> None:
    """Holdfast's cluster for development: three kind nodes, Dapr, PostgreSQL."""
    ctx.obj = Wishes(name, port, images, registry)


@app.command()
def up(ctx: typer.Context) -> None:
    """Make the cluster, or what is missing of it, and return when it is ready."""
    began = time.monotonic()
    with _failures():
        folder = cluster.make(ctx.obj, BuildView(_err))
    _out.print(f"[bold green]ready[/] after {time.monotonic() - began:.0f} s")
    _out.print(f"  export KUBECONFIG={folder.kubeconfig}", highlight=False, soft_wrap=True)


@app.command()
def down(
    ctx: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every cluster of this clone.")] = False,
) -> None:
    """Remove the cluster with all its data, and the Docker engine that was started for it."""
    for one in clusters_of(repository()) if every else [ctx.obj.name]:
        with _failures():
            there = cluster.unmake(one, BuildView(_err))
        _out.print(f"[green]✓[/] {one} is {'removed' if there else 'not there'}")


@app.command()
def images(ctx: typer.Context) -> None:
    """Build the three services' images and print their names."""
    with _failures():
        built = deployment.images(ctx.obj, BuildView(_err))
    for reference in built.values():
        typer.echo(reference)


@app.command()
def deploy(ctx: typer.Context) -> None:
    """Bring the cluster to this clone's services, and return when they are ready."""
    began = time.monotonic()
    with _failures():
        release = deployment.deploy(ctx.obj, BuildView(_err))
    _out.print(f"[bold green]deployed[/] after {time.monotonic() - began:.0f} s")
    for line in (
        f"holdfast --context kind-{ctx.obj.name} workflow list    the runs of this cluster",
        f"{release.tokens}    the API's tokens, one for each role",
    ):
        _out.print(f"  {line}", highlight=False, soft_wrap=True)


@app.command()
def doctor(
    ctx: typer.Context,
    *,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Look at another cluster's Dapr alone."),
    ] = None,
    context: Annotated[str, typer.Option(help="The same, by the name of its context.")] = "",
    dapr_namespace: Annotated[str, typer.Option(help="Where that cluster's Dapr is.")] = NAMESPACE,
) -> None:
    """Name each thing that is missing, with the way out; exit 1 if anything is."""
    with _failures():
        if kubeconfig is not None or context:
            findings = examine_elsewhere(kubeconfig, context, dapr_namespace)
        else:
            findings = examine(ctx.obj)
    marks = {"ok": "[green]✓[/]", "note": "[yellow]·[/]", "missing": "[red]✗[/]"}
    for finding in findings:
        _out.print(f"{marks[finding.level]} {finding.subject}: ", end="", highlight=False)
        _out.print(finding.text, markup=False, highlight=False, soft_wrap=True)
    if any(finding.fatal for finding in findings):
        raise typer.Exit(1)


@app.command(context_settings={"ignore_unknown_options": True})
def skaffold(
    ctx: typer.Context,
    arguments: Annotated[list[str], typer.Argument(help="Skaffold's command and its options.")],
) -> None:
    """Run Skaffold on the cluster, with what it needs to know: dev, run, or another command."""
    with _failures():
        status = live.skaffold(ctx.obj, arguments, BuildView(_err))
    raise typer.Exit(status)


@app.command()
def env(ctx: typer.Context) -> None:
    """Print what a shell needs to use the cluster: ``eval "$(python -m holdfast_cluster env)"``."""
    folder = ClusterFolder(repository(), ctx.obj.name)
    with _failures():
        engine = find_engine(folder.log)
        tools = ensure_tools(("kubectl", "helm", "kind"))
    typer.echo(f"export KUBECONFIG='{folder.kubeconfig}'")
    if engine is not None and engine.host:
        typer.echo(f"export DOCKER_HOST='{engine.host}' DOCKER_BUILDKIT=0")
    folders = ":".join(str(path.parent) for path in tools.values())
    typer.echo(f"export PATH='{folders}':\"$PATH\"")


@contextmanager
def _failures() -> Iterator[None]:
    """Say in one line what went wrong, and end as a command that failed or was interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except (ClusterError, ToolchainError) as error:
        _err.print(f"holdfast: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("\nholdfast: Interrupted; run the same command again to go on.", err=True)
        sys.exit(130)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
