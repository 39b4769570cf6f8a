"""Start a run, or start one again, or all that match."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast_cli import views
from holdfast_cli.client import Client, part
from holdfast_cli.commands.steering import Every, Run, Yes, check, to_many
from holdfast_cli.completions import complete_workflow
from holdfast_cli.filters import filtered
from holdfast_cli.inputs import json_text, later, seconds
from holdfast_cli.output import Format, note, show
from holdfast_cli.session import AppId, Key, Output, check_app_id, client
from holdfast_cli.states import exit_code
from holdfast_cli.waiting import wait_for_end

Wait = Annotated[
    bool,
    typer.Option("--wait", "-w", help="Wait for the end; exit with 1 unless the run completed."),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        help="With --wait: for how long at most, such as 90s or 5m; then exit with 124.",
        show_default=False,
    ),
]


def run(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The workflow.",
            autocompletion=complete_workflow,
            show_default=False,
        ),
    ],
    *,
    input_: Annotated[
        str,
        typer.Option("--input", "-i", help="The input as JSON, @FILE, or - for stdin."),
    ] = "null",
    instance_id: Annotated[
        str | None,
        typer.Option("--instance-id", help="The ID that the run shall have.", show_default=False),
    ] = None,
    idempotency_key: Key = None,
    start_at: Annotated[
        str | None,
        typer.Option(
            "--start-at",
            help="Start then: a time such as 2030-01-31T08:00:00Z, or in such as 2h.",
            show_default=False,
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            "--deadline", help="End the run then if it has not ended.", show_default=False
        ),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    app_id: AppId = None,
    output: Output = Format.TABLE,
) -> None:
    """Start a run. What is answered is stored: the run starts even if the engine is away now."""
    limit = _limit(timeout, wait=wait)
    parameters = {
        "instance_id": instance_id,
        "start_at": None if start_at is None else later(start_at),
        "deadline": None if deadline is None else later(deadline),
    }
    body = json_text(input_, "--input")
    connection = client(ctx)
    check_app_id(connection.server, app_id)
    answer = connection.post(
        f"/workflows/{part(name)}",
        body,
        parameters,
        keyed=True,
        idempotency_key=idempotency_key,
    )
    _show(connection, answer.document, output, wait=wait, limit=limit)


@filtered
def rerun(
    ctx: typer.Context,
    instance_id: Run = None,
    *,
    new_id: Annotated[
        str | None,
        typer.Option("--new-id", help="The ID that the new run shall have.", show_default=False),
    ] = None,
    from_event: Annotated[
        int | None,
        typer.Option(
            "--from-event",
            min=0,
            help="Keep what was before this TASK_SCHEDULED of `history`, where that is safe.",
            show_default=False,
        ),
    ] = None,
    idempotency_key: Key = None,
    wait: Wait = False,
    timeout: Timeout = None,
    every: Every = False,
    matching: dict[str, Any],
    yes: Yes = None,
    output: Output = Format.TABLE,
) -> None:
    """Start a new run with the same input, linked to the first.

    With --all, one for each finished run that matches; --yes TOKEN sent again starts none twice.
    """
    check(instance_id, matching, every=every, yes=yes)
    limit = _limit(timeout, wait=wait)
    wanted = {"instance_id": new_id, "from_event": from_event}
    if instance_id is None:
        if wait or any(one is not None for one in (*wanted.values(), idempotency_key)):
            raise typer.BadParameter(
                "--new-id, --from-event, --idempotency-key and --wait are for one run"
            )
        to_many(ctx, "rerun", matching, yes=yes, form=output)
        return
    body = {name: value for name, value in wanted.items() if value is not None}
    connection = client(ctx)
    answer = connection.post(
        f"/runs/{part(instance_id)}/rerun", body, keyed=True, idempotency_key=idempotency_key
    )
    _show(connection, answer.document, output, wait=wait, limit=limit)


def _limit(timeout: str | None, *, wait: bool) -> float | None:
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout needs --wait")
    return None if timeout is None else seconds(timeout)


def _show(
    connection: Client,
    accepted: dict[str, Any],
    output: Format,
    *,
    wait: bool,
    limit: float | None,
) -> None:
    if not wait:
        show(accepted, output, views.accepted)
        return
    instance_id = str(accepted["instance_id"])
    note(f"{instance_id} is accepted; waiting for its end")
    status = wait_for_end(connection, instance_id, limit)
    show(status, output, views.status)
    if code := exit_code(status):
        note(f"{instance_id} is {status['state']}")
        raise typer.Exit(code)
