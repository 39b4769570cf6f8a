"""``holdfast console``: the pages of the same server."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from holdfast_cli import views
from holdfast_cli.output import Format, show
from holdfast_cli.servers import resolve
from holdfast_cli.session import Output, selection

_PATH = "/console"


def console(
    ctx: typer.Context,
    *,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Write the address, open no browser.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Open the console in a browser, and write its address."""
    server = resolve(selection(ctx))
    url = f"{server.api}{_PATH}"
    if not no_open and sys.stdout.isatty() and _has_display():
        webbrowser.open(url)
    show({"console": url}, output, views.plain)


def _has_display() -> bool:
    # A browser of the terminal would take this one over.
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
