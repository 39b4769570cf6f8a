"""Hold, free, cancel, end, repair and purge: one run, or all that match; rerun all."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from holdfast_cli import views
from holdfast_cli.client import part
from holdfast_cli.completions import complete_run
from holdfast_cli.errors import ExitCode
from holdfast_cli.filters import filtered
from holdfast_cli.output import Format, printable, show
from holdfast_cli.session import Output, Reason, client

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="INSTANCE_ID",
        help="The run; or give --all.",
        autocompletion=complete_run,
        show_default=False,
    ),
]
Every = Annotated[
    bool,
    typer.Option("--all", help="All runs that match the filters. Without --yes: only count them."),
]
Yes = Annotated[
    str | None,
    typer.Option(
        "--yes", metavar="TOKEN", help="Do it, with the token of the count.", show_default=False
    ),
]


def _command(action: str, help_text: str) -> Callable[..., None]:
    """Return a command that does something to one run or to many; five of them are alike."""

    @filtered
    def steer(
        ctx: typer.Context,
        instance_id: Run = None,
        *,
        reason: Reason = None,
        every: Every = False,
        matching: dict[str, Any],
        yes: Yes = None,
        output: Output = Format.TABLE,
    ) -> None:
        _steer(ctx, action, instance_id, matching, every=every, yes=yes, reason=reason, form=output)

    steer.__doc__ = help_text
    return steer


suspend = _command("suspend", "Hold a run before its next step.")
resume = _command("resume", "Let a held run go on.")
cancel = _command("cancel", "Undo what a run did and end it, where its workflow can.")
terminate = _command(
    "terminate", "End a run at once; nothing is undone, and nothing starts after it."
)
repair = _command(
    "repair", "Free a frozen run: make again what it waits for. Nothing is done twice."
)


@filtered
def purge(
    ctx: typer.Context,
    instance_id: Run = None,
    *,
    every: Every = False,
    matching: dict[str, Any],
    yes: Yes = None,
    output: Output = Format.TABLE,
) -> None:
    """Delete all that is kept of a finished run (admin)."""
    if every or instance_id is None:
        _steer(ctx, "purge", instance_id, matching, every=every, yes=yes, form=output)
        return
    check(instance_id, matching, every=every, yes=yes)
    client(ctx).delete(f"/runs/{part(instance_id)}")
    show({"instance_id": instance_id, "purged": True}, output, views.plain)


def _steer(
    ctx: typer.Context,
    action: str,
    instance_id: str | None,
    matching: dict[str, Any],
    *,
    every: bool,
    yes: str | None,
    form: Format,
    reason: str | None = None,
) -> None:
    check(instance_id, matching, every=every, yes=yes)
    if instance_id is None:
        to_many(ctx, action, matching, yes=yes, form=form, reason=reason)
        return
    body = {} if reason is None else {"reason": reason}
    answer = client(ctx).post(f"/runs/{part(instance_id)}/{action}", body)
    show(answer.document, form, views.accepted)


def to_many(
    ctx: typer.Context,
    action: str,
    matching: dict[str, Any],
    *,
    yes: str | None,
    form: Format,
    reason: str | None = None,
) -> None:
    """Count the runs that match; with the token of the count, do it to them."""
    body = {} if reason is None else {"reason": reason}
    if yes is not None:
        body["token"] = yes
    document = client(ctx).post(f"/bulk/{action}", body, matching).document
    words = ["holdfast", "wf", action, "--all"]
    show(document, form, lambda found: bulk_table(found, again(words, matching, reason)))
    if document.get("refused"):
        raise typer.Exit(ExitCode.CONFLICT)


def check(
    instance_id: str | None, matching: dict[str, Any], *, every: bool, yes: str | None
) -> None:
    """End the command unless it is for one run, or for all that match."""
    if instance_id is None and not every:
        raise typer.BadParameter("the instance ID is missing; or give --all and filters")
    if instance_id is not None and (every or matching or yes is not None):
        raise typer.BadParameter("an instance ID stands alone: no --all, no filters, no --yes")


def again(command: list[str], matching: dict[str, Any], reason: str | None) -> str:
    """Return the command with what it was given, as a line of a shell."""
    words = [*command]
    for name, value in matching.items():
        flag = "--query" if name == "q" else f"--{name}"
        for one in value if isinstance(value, list) else [value]:
            words += [flag, str(one)]
    if reason is not None:
        words += ["--reason", reason]
    return shlex.join(words)


def bulk_table(document: dict[str, Any], command: str) -> RenderableType:
    """Show what would be done, and the command that does it; or what was done."""
    action, count = document.get("action"), document.get("count")
    if "token" in document:
        token = printable(shlex.quote(str(document["token"])))
        return Group(
            Text(f"{_runs(count)}. Nothing has been done. To {action} what matches:"),
            Text(f"  {printable(command)} --yes {token}", "bold"),
        )
    refused = document.get("refused") or []
    lines = [Text(f"{action}: accepted for {document.get('accepted')} of {_runs(count)}")]
    lines += [Text(f"  refused: {printable(_refusal(one))}", "red") for one in refused]
    return Group(*lines)


def _runs(count: Any) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _refusal(one: Any) -> str:
    return ": ".join(str(value) for value in one.values()) if isinstance(one, dict) else str(one)
