"""``holdfast doctor``: what is frozen, why, and what frees it."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from holdfast_cli.commands.steering import Yes, again, bulk_table
from holdfast_cli.errors import ExitCode
from holdfast_cli.filters import filtered
from holdfast_cli.output import Format, moment, printable, rows, show
from holdfast_cli.session import Output, Reason, client

_LOSSES = {
    "scheduler_lost": "The scheduler has lost its data",
    "scheduler_older": "The scheduler was put back from a backup",
    "database_older": "The database was put back from a backup",
}


@filtered
def doctor(
    ctx: typer.Context,
    *,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Free all that is frozen. Without --yes: only count them."),
    ] = False,
    yes: Yes = None,
    reason: Reason = None,
    matching: dict[str, Any],
    output: Output = Format.TABLE,
) -> None:
    """Find runs that nothing will move again, and free them (operator).

    Exit status: 0 if no run is frozen, 9 if one is; with --yes: 0 if all repairs are accepted.
    """
    if (yes is not None or reason is not None) and not repair:
        raise typer.BadParameter("--yes and --reason are for --repair")
    if yes is not None:
        _repair(ctx, matching, yes, reason, output)
        return
    found = client(ctx).get("/doctor", matching).document
    if repair and found["frozen"]:
        body = {} if reason is None else {"reason": reason}
        found["repair"] = client(ctx).post("/bulk/repair", body, matching).document
    command = _command(matching, reason)
    show(found, output, lambda document: _table(document, command))
    if not found["healthy"]:
        raise typer.Exit(ExitCode.FROZEN)


def _repair(
    ctx: typer.Context, matching: dict[str, Any], token: str, reason: str | None, output: Format
) -> None:
    body = {"token": token} | ({} if reason is None else {"reason": reason})
    document = client(ctx).post("/bulk/repair", body, matching).document
    show(document, output, lambda done: bulk_table(done, _command(matching, reason)))
    if document.get("refused"):
        raise typer.Exit(ExitCode.CONFLICT)


def _command(matching: dict[str, Any], reason: str | None) -> str:
    return again(["holdfast", "doctor", "--repair"], matching, reason)


def _table(document: dict[str, Any], command: str) -> RenderableType:
    frozen = document["frozen"]
    parts: list[RenderableType] = [Text(_summary(document), "bold red" if frozen else "green")]
    memory = document["memory"]
    if frozen and memory["loss"] is not None:
        what, when = _LOSSES.get(memory["loss"], memory["loss"]), moment(memory["forgot_at"])
        parts.append(Text(f"{printable(what)}: noticed at {when}."))
    if frozen:
        names = ("instance_id", "workflow", "reason", "since", "sentence", "command")
        table = rows(
            ("INSTANCE ID", "WORKFLOW", "REASON", "SINCE", "WHAT", "FREED BY"),
            ([one.get(name) for name in names] for one in frozen),
            empty="",
        )
        parts += [Text(""), table]
    if document["left"]:
        more = f"{document['left']} more may be frozen and were not looked at; ask again later."
        parts.append(Text(f"\n{more}"))
    if document["strangers"]:
        ids = ", ".join(printable(str(one)) for one in document["strangers"])
        parts.append(Text(f"\nSteps were done for runs that nobody knows: {ids}"))
    if "repair" in document:
        parts += [Text(""), _offer(document["repair"], command)]
    elif frozen:
        parts.append(Text(f"\nTo free them all: {command}"))
    return Group(*parts)


def _offer(repair: dict[str, Any], command: str) -> RenderableType:
    token = printable(shlex.quote(str(repair["token"])))
    return Group(
        Text(f"Nothing has been done. To free {repair['count']} of them:"),
        Text(f"  {printable(command)} --yes {token}", "bold"),
    )


def _summary(document: dict[str, Any]) -> str:
    frozen, examined = len(document["frozen"]), document["examined"]
    looked = "1 run was" if examined == 1 else f"{examined} runs were"
    if not frozen:
        return f"Nothing is frozen; {looked} looked at."
    return f"{frozen} of {examined} that were looked at {'is' if frozen == 1 else 'are'} frozen."
