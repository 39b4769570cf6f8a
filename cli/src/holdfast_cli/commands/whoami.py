"""``holdfast whoami``."""

from __future__ import annotations

import typer

from holdfast_cli import views
from holdfast_cli.output import Format, show
from holdfast_cli.session import Output, client


def whoami(ctx: typer.Context, *, output: Output = Format.TABLE) -> None:
    """Show which server is used, and as whom."""
    connection = client(ctx)
    document = connection.get("/whoami").document
    show({"server": connection.server.api, **document}, output, views.plain)
