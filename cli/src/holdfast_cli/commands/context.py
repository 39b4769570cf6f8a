"""``holdfast context``: the servers that you use, by name."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from holdfast_cli import config, servers
from holdfast_cli.completions import complete_context
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.inputs import file_bytes
from holdfast_cli.output import Format, fields, note, rows, show
from holdfast_cli.session import Output, selection

app = typer.Typer(help="The servers that you use, by name.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The context.",
        autocompletion=complete_context,
        show_default=False,
    ),
]


@app.command("list")
def list_contexts(*, output: Output = Format.TABLE) -> None:
    """List the contexts."""
    kept = config.load()
    document = {
        "contexts": [
            {
                "name": name,
                "api": one.api,
                "token": _said(one.token),
                "current": name == kept.current,
            }
            for name, one in sorted(kept.contexts.items())
        ]
    }
    show(
        document,
        output,
        lambda found: rows(
            ("", "NAME", "API", "TOKEN"),
            (
                ("*" if one["current"] else "", one["name"], one["api"], one["token"])
                for one in found["contexts"]
            ),
            empty="No contexts. Add one with `holdfast context add`.",
        ),
    )


@app.command()
def use(name: Name, *, output: Output = Format.TABLE) -> None:
    """Use a context from now on."""
    kept = config.load()
    context = kept.context(name)
    kept.current = name
    config.save(kept)
    show({"current": name, "api": context.api}, output, fields)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the server.")],
    api: Annotated[str, typer.Argument(metavar="API", help="The API's address.")],
    *,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from stdin.")
    ] = False,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Keep no token; HOLDFAST_TOKEN gives it.")
    ] = False,
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file", help="Certificates to trust for this server.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace one of this name.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Add a server. The token is asked for, or read from stdin; the first one is used at once."""
    try:
        config.check_name(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    address = servers.check_url(api)
    kept = config.load()
    if name in kept.contexts and not force:
        raise CliError(
            ExitCode.CONFLICT, f"There is a context {name!r}", "Replace it with --force."
        )
    if token_stdin and no_token:
        raise typer.BadParameter("--token-stdin and --no-token exclude each other")
    token = None if no_token else _token(from_stdin=token_stdin)
    if token and address.startswith("http:") and not servers.is_loopback(address):
        note(f"the token will go to {address} in the clear; use https")
    kept.contexts[name] = config.Context(address, token, ca_file)
    kept.current = kept.current or name
    config.save(kept)
    show({"added": name, "api": address, "current": kept.current}, output, fields)


@app.command()
def remove(name: Name, *, output: Output = Format.TABLE) -> None:
    """Forget a server and its token."""
    kept = config.load()
    kept.context(name)
    del kept.contexts[name]
    if kept.current == name:
        kept.current = None
    config.save(kept)
    show({"removed": name, "current": kept.current}, output, fields)


@app.command("show")
def show_server(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A context; if not given, the server that commands use now.",
            autocompletion=complete_context,
            show_default=False,
        ),
    ] = None,
    *,
    show_token: Annotated[bool, typer.Option("--show-token", help="Write the token, too.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show a server, or the one that commands use now and where that comes from."""
    chosen = selection(ctx) if name is None else servers.Selection(context=name)
    server = servers.resolve(chosen)
    document: dict[str, Any] = {
        "source": server.name,
        "api": server.api,
        "token": server.token if show_token else _said(server.token),
        "ca_file": server.ca_file,
    }
    show(document, output, fields)


def _said(token: str | None) -> str | None:
    return None if token is None else "kept"


def _token(*, from_stdin: bool) -> str | None:
    if from_stdin or not sys.stdin.isatty():
        raw = file_bytes("-", "The token")
        token = raw.decode("utf-8", "replace").strip()
    else:
        token = str(typer.prompt("Token", hide_input=True, default="", show_default=False)).strip()
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise CliError(ExitCode.INVALID, "The token has characters that no token has")
    return token or None
