"""``holdfast audit``."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import RenderableType

from holdfast_cli.output import Format, rows, show
from holdfast_cli.session import Cursor, Limit, Output, client


def audit(
    ctx: typer.Context,
    *,
    limit: Limit = 50,
    cursor: Cursor = None,
    output: Output = Format.TABLE,
) -> None:
    """Show who changed what, when and from where (admin)."""
    answer = client(ctx).get("/audit", {"limit": limit, "cursor": cursor})
    show(answer.document, output, _table)


def _table(document: dict[str, Any]) -> RenderableType:
    names = ("at", "subject", "role", "action", "target", "status", "address", "reason")
    return rows(
        [name.upper() for name in names],
        ([entry.get(name) for name in names] for entry in document["entries"]),
        empty="No entries.",
    )
