"""Send an event to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast_cli import views
from holdfast_cli.client import part
from holdfast_cli.completions import complete_event, complete_run
from holdfast_cli.inputs import json_text
from holdfast_cli.output import Format, show
from holdfast_cli.session import AppId, Key, Output, RunOption, check_app_id, client, one_of


def raise_event(
    ctx: typer.Context,
    instance_id: Annotated[
        str | None,
        typer.Argument(
            metavar="INSTANCE_ID",
            help="The run. With --instance-id, this is the event.",
            autocompletion=complete_run,
            show_default=False,
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Argument(
            metavar="EVENT",
            help="The event.",
            autocompletion=complete_event,
            show_default=False,
        ),
    ] = None,
    *,
    instance_option: RunOption = None,
    event_option: Annotated[
        str | None,
        typer.Option(
            "--event-name",
            help="The event, as Dapr's tools ask for it.",
            autocompletion=complete_event,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            "--event-data",
            "--input",
            help="The event's data as JSON, @FILE, or - for stdin.",
        ),
    ] = "{}",
    idempotency_key: Key = None,
    app_id: AppId = None,
    output: Output = Format.TABLE,
) -> None:
    """Send an event to a run. What is answered is stored: it arrives, if late."""
    if instance_option is not None and event is None and event_option is None:
        instance_id, event = None, instance_id
    run = one_of(instance_id, instance_option, "the instance ID", "--instance-id")
    name = one_of(event, event_option, "the event", "--event-name")
    body = json_text(data, "--event-data")
    connection = client(ctx)
    check_app_id(connection.server, app_id)
    answer = connection.post(
        f"/runs/{part(run)}/events/{part(name)}",
        body,
        keyed=True,
        idempotency_key=idempotency_key,
    )
    show(answer.document, output, views.accepted)
