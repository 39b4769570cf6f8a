"""``holdfast batch``: load flight legs for batch_processing."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast_cli import views
from holdfast_cli.inputs import file_bytes
from holdfast_cli.output import Format, show
from holdfast_cli.session import Output, client

app = typer.Typer(help="Batches of flight legs.", no_args_is_help=True)


@app.callback()
def batches() -> None:
    """Batches of flight legs, for batch_processing."""


@app.command()
def load(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A CSV file with the header origin,destination; - is stdin."
        ),
    ],
    *,
    batch_id: Annotated[
        str | None,
        typer.Option("--batch-id", help="The ID that the batch shall have.", show_default=False),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Load a file of flight legs: all rows, or none if one is wrong."""
    raw = file_bytes(file, "The batch")
    parameters = {"batch_id": batch_id}
    answer = client(ctx).post("/batches", raw, parameters, media_type="text/csv")
    show(answer.document, output, views.plain)
