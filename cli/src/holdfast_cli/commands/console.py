"""``holdfast console``: the pages of the same server."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated, Any

import typer

from holdfast_cli import views
from holdfast_cli.client import Client, part
from holdfast_cli.output import Format, show
from holdfast_cli.session import Output, client

_PATH = "/console"


def console(
    ctx: typer.Context,
    *,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Write the address, open no browser.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Open the console in a browser, and write its address.

    The address signs in as whoever the token belongs to, once, within a minute.
    """
    document = _address(client(ctx))
    if not no_open and sys.stdout.isatty() and _has_display():
        webbrowser.open(document["console"])
    show(document, output, views.plain)


def _address(connection: Client) -> dict[str, Any]:
    # Not the address that the server gives: behind a proxy it may know its own name only.
    home = f"{connection.server.api}{_PATH}"
    if connection.server.token is None:
        return {"console": f"{home}/login"}
    granted = connection.post(f"{_PATH}/code", {}).document
    address = f"{home}/login?code={part(str(granted['code']))}"
    return {"console": address, "expires_in": granted.get("expires_in")}


def _has_display() -> bool:
    # A browser of the terminal would take this one over.
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
