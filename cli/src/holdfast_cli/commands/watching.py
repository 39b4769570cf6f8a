"""Watch a run until it ends."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.live import Live

from holdfast_cli.feed import changes
from holdfast_cli.output import Format, one_line
from holdfast_cli.session import Output, RunArgument, client
from holdfast_cli.snapshots import Snapshot, news
from holdfast_cli.states import exit_code, has_ended
from holdfast_cli.tree import tree
from holdfast_cli.waiting import interruptible

_FRAMES_PER_SECOND = 8


def watch(ctx: typer.Context, instance_id: RunArgument, *, output: Output = Format.TABLE) -> None:
    """Watch a run's steps until it ends; exit with 1 unless it completed.

    On a terminal: a tree that changes in place. Elsewhere: a line for each change.
    """
    connection = client(ctx)
    snapshot = Snapshot({})
    with interruptible(instance_id):
        if output is Format.TABLE and sys.stdout.isatty():
            console = Console(highlight=False)
            with Live(console=console, refresh_per_second=_FRAMES_PER_SECOND) as live:
                for snapshot in changes(connection, instance_id):
                    live.update(tree(snapshot, height=console.size.height - 2))
        else:
            before: Snapshot | None = None
            for snapshot in changes(connection, instance_id):
                for change in news(before, snapshot):
                    line = (
                        change.text + "\n"
                        if output is Format.TABLE
                        else one_line(change.document, output)
                    )
                    typer.echo(line, nl=False)
                    sys.stdout.flush()
                before = snapshot
    if has_ended(snapshot.status):
        raise typer.Exit(exit_code(snapshot.status))
