"""What every command shares: which server it is for, and the options that all of them take."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast_cli.client import Client
from holdfast_cli.completions import complete_context, complete_run, complete_stack
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.output import Format, note
from holdfast_cli.servers import Selection, Server, resolve

#: What the orchestrator is called unless its settings say otherwise.
_APP_ID = "orchestrator"

Output = Annotated[
    Format, typer.Option("--output", "-o", help="Write a table, JSON or YAML.", show_default=True)
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="INSTANCE_ID", help="The run.", autocompletion=complete_run, show_default=False
    ),
]
RunOption = Annotated[
    str | None,
    typer.Option(
        "--instance-id",
        help="The run, as Dapr's tools ask for it.",
        autocompletion=complete_run,
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many.")]
Cursor = Annotated[
    str | None,
    typer.Option("--cursor", help="Go on where the last page ended.", show_default=False),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        help="A repeat with the same key does nothing new; made up if not given.",
        show_default=False,
    ),
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Why; kept with the run.", show_default=False)
]
AppId = Annotated[
    str | None,
    typer.Option(
        "--app-id",
        "-a",
        help="The app that runs workflows, as Dapr's tools ask for it. Not needed here.",
        show_default=False,
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        "-c",
        help="Which context. [env: HOLDFAST_CONTEXT]",
        autocompletion=complete_context,
        show_default=False,
    ),
]
StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        help="Which local stack of this clone.",
        autocompletion=complete_stack,
        show_default=False,
    ),
]


def client(ctx: typer.Context) -> Client:
    """Return the connection that the command works on; it is closed with the command."""
    return ctx.with_resource(Client(resolve(selection(ctx))))


def selection(ctx: typer.Context) -> Selection:
    """Return what the options before the command say about the server."""
    found = ctx.find_root().obj
    return found if isinstance(found, Selection) else Selection()


def check_app_id(server: Server, app_id: str | None) -> None:
    """Take ``--app-id`` if it names the app that runs workflows here; never act on another."""
    if app_id is None:
        return
    known = server.app_ids.get(_APP_ID)
    if app_id in {known, _APP_ID}:
        return
    if known is not None:
        raise CliError(
            ExitCode.USAGE,
            f"No app {app_id!r}",
            f"{server.name.capitalize()} runs its workflows in {known}.",
        )
    note(f"--app-id {app_id} is ignored: a Holdfast API has one app that runs workflows")


def one_of(argument: str | None, option: str | None, what: str, flag: str) -> str:
    """Return what was given as an argument or as an option, but not as two different things."""
    if argument is not None and option is not None and argument != option:
        raise typer.BadParameter(f"{what} is given twice: {argument} and {flag} {option}")
    value = argument if argument is not None else option
    if not value:
        raise typer.BadParameter(f"{what} is missing; give it as an argument or with {flag}")
    return value
