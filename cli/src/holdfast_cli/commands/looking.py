"""Look at runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast_cli import views
from holdfast_cli.client import part
from holdfast_cli.completions import complete_run
from holdfast_cli.filters import filtered
from holdfast_cli.output import Format, show
from holdfast_cli.session import (
    AppId,
    Cursor,
    Limit,
    Output,
    RunArgument,
    RunOption,
    check_app_id,
    client,
    one_of,
)


def get(
    ctx: typer.Context,
    instance_id: Annotated[
        str | None,
        typer.Argument(
            metavar="INSTANCE_ID",
            help="The run.",
            autocompletion=complete_run,
            show_default=False,
        ),
    ] = None,
    *,
    instance_option: RunOption = None,
    app_id: AppId = None,
    output: Output = Format.TABLE,
) -> None:
    """Show a run: its state, input, output, and why it failed if it did."""
    run = one_of(instance_id, instance_option, "the instance ID", "--instance-id")
    connection = client(ctx)
    check_app_id(connection.server, app_id)
    show(connection.get(f"/status/{part(run)}").document, output, views.status)


@filtered
def list_runs(
    ctx: typer.Context,
    *,
    matching: dict[str, Any],
    limit: Limit = 50,
    cursor: Cursor = None,
    every: Annotated[bool, typer.Option("--all", help="Every page, not just one.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List runs, newest first."""
    connection = client(ctx)
    size = 200 if every else limit
    page = connection.get("/runs", {**matching, "limit": size, "cursor": cursor}).document
    runs: list[Any] = page["runs"]
    while every and page.get("next"):
        page = connection.get("/runs", {**matching, "limit": size, "cursor": page["next"]}).document
        runs += page["runs"]
    show({**page, "runs": runs}, output, views.runs)


def history(ctx: typer.Context, instance_id: RunArgument, *, output: Output = Format.TABLE) -> None:
    """Show what the engine wrote down of a run, event by event."""
    show(client(ctx).get(f"/runs/{part(instance_id)}/history").document, output, views.history)


def timeline(
    ctx: typer.Context, instance_id: RunArgument, *, output: Output = Format.TABLE
) -> None:
    """Show every attempt of a run's steps: where, when, and what came of it."""
    show(client(ctx).get(f"/runs/{part(instance_id)}/timeline").document, output, views.timeline)


def why(ctx: typer.Context, instance_id: RunArgument, *, output: Output = Format.TABLE) -> None:
    """Say what a run waits for, and what would free it."""
    show(client(ctx).get(f"/runs/{part(instance_id)}/why").document, output, views.why)


def events(ctx: typer.Context, instance_id: RunArgument, *, output: Output = Format.TABLE) -> None:
    """Show what became of each event that was sent to a run."""
    show(client(ctx).get(f"/runs/{part(instance_id)}/events").document, output, views.events)


def catalogue(ctx: typer.Context, *, output: Output = Format.TABLE) -> None:
    """List the workflows that can be run. With -o json: the schema of each input, too."""
    show(client(ctx).get("/workflows").document, output, views.catalogue)
