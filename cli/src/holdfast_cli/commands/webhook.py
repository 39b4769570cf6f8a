"""``holdfast webhook``: who is told what happens to runs (admin)."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from holdfast_cli import views
from holdfast_cli.client import part
from holdfast_cli.inputs import file_bytes
from holdfast_cli.output import Format, rows, show
from holdfast_cli.session import Output, client

app = typer.Typer(help="Who is told what happens to runs (admin).", no_args_is_help=True)
_PREFIX = "dev.holdfast.run."

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="The webhook.", show_default=False)]


@app.command()
def add(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where CloudEvents are posted.")],
    *,
    types: Annotated[
        list[str],
        typer.Option(
            "--type",
            help="An event: started, completed, failed, cancelled, terminated or waiting;"
            " repeatable.",
            show_default=False,
        ),
    ],
    secret_stdin: Annotated[
        bool,
        typer.Option(
            "--secret-stdin", help="Read the signing secret from stdin; else one is made."
        ),
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Tell a URL what happens to runs. The secret that signs it is shown this once."""
    body: dict[str, Any] = {"url": url, "types": [_full(name) for name in types]}
    if secret_stdin:
        body["secret"] = file_bytes("-", "The secret").decode("utf-8", "replace").strip()
    show(client(ctx).post("/webhooks", body).document, output, views.plain)


@app.command("list")
def list_webhooks(ctx: typer.Context, *, output: Output = Format.TABLE) -> None:
    """List the webhooks."""
    show(client(ctx).get("/webhooks").document, output, _webhooks)


@app.command()
def remove(ctx: typer.Context, webhook_id: WebhookId, *, output: Output = Format.TABLE) -> None:
    """Tell a webhook nothing more."""
    client(ctx).delete(f"/webhooks/{part(webhook_id)}")
    show({"removed": webhook_id}, output, views.plain)


@app.command()
def dead_letters(
    ctx: typer.Context, webhook_id: WebhookId, *, output: Output = Format.TABLE
) -> None:
    """List what could not be delivered."""
    answer = client(ctx).get(f"/webhooks/{part(webhook_id)}/dead-letters")
    show(answer.document, output, _dead_letters)


@app.command()
def redeliver(
    ctx: typer.Context,
    webhook_id: WebhookId,
    *,
    event_ids: Annotated[
        list[str] | None,
        typer.Option("--event-id", help="Only this event; repeatable.", show_default=False),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Deliver what could not be delivered, once more."""
    body = {"event_ids": event_ids} if event_ids else {}
    answer = client(ctx).post(f"/webhooks/{part(webhook_id)}/dead-letters/redeliver", body)
    show(answer.document, output, views.plain)


def _full(name: str) -> str:
    return name if name.startswith(_PREFIX) else _PREFIX + name


def _webhooks(document: dict[str, Any]) -> RenderableType:
    return rows(
        ("ID", "URL", "TYPES", "WAITING", "DEAD"),
        (
            (
                one.get("webhook_id"),
                one.get("url"),
                ", ".join(name.removeprefix(_PREFIX) for name in one.get("types", ())),
                one.get("waiting"),
                one.get("dead"),
            )
            for one in document["webhooks"]
        ),
        empty="No webhooks.",
    )


def _dead_letters(document: dict[str, Any]) -> RenderableType:
    return rows(
        ("EVENT ID", "TYPE", "INSTANCE ID", "ATTEMPTS", "GIVEN UP", "LAST ERROR"),
        (
            (
                one.get("event_id"),
                str(one.get("type", "")).removeprefix(_PREFIX),
                one.get("instance_id"),
                one.get("attempts"),
                one.get("dead_at"),
                one.get("last_error"),
            )
            for one in document["dead_letters"]
        ),
        empty="No dead letters.",
    )
