"""The ``holdfast`` command itself: its groups, and how it ends."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from yaml import YAMLError

from holdfast_cli import VERSION
from holdfast_cli.commands import (
    audit,
    batch,
    capacity,
    certify,
    console,
    context,
    doctor,
    secrets,
    webhook,
    whoami,
    workflow,
)
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.output import complain
from holdfast_cli.servers import Role, Selection
from holdfast_cli.session import ContextOption, StackOption

DEBUG_VARIABLE = "HOLDFAST_DEBUG"
#: What code raises that meets an answer of another shape than the documented one.
_UNEXPECTED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    YAMLError,
)


class Commands(TyperGroup):
    """Turn whatever goes wrong into words and an exit status, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CliError as error:
            complain(error)
            raise typer.Exit(error.code) from None
        except (KeyboardInterrupt, EOFError):
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            complain(CliError(ExitCode.FAILED, "The command failed", str(error)))
            raise typer.Exit(ExitCode.FAILED) from None
        except _UNEXPECTED as error:
            if os.environ.get(DEBUG_VARIABLE):
                raise
            what = f"{type(error).__name__}: {error}"
            hint = f"Set {DEBUG_VARIABLE}=1 to see where it went wrong."
            complain(CliError(ExitCode.FAILED, "The command failed", f"{what}. {hint}"))
            raise typer.Exit(ExitCode.FAILED) from None


app = typer.Typer(
    name="holdfast",
    cls=Commands,
    help="Start, look at and steer durable workflows.",
    epilog="Exit status: 0 done; 1 failed; 2 usage; 3 no server; 4 not found; 5 conflict;"
    " 6 not allowed; 7 invalid input; 8 unavailable; 9 frozen runs found; 124 waited in vain;"
    " 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text: it is the same in a pipe, in a test and in docs/cli.md.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(workflow.app, name="workflow")
app.add_typer(workflow.app, name="wf", hidden=True)
app.add_typer(batch.app, name="batch")
app.add_typer(webhook.app, name="webhook")
app.add_typer(context.app, name="context")
app.command("audit")(audit.audit)
app.command("capacity")(capacity.capacity)
app.command("certify")(certify.certify)
app.command("console")(console.console)
app.command("doctor")(doctor.doctor)
app.command("secrets")(secrets.secrets)
app.command("whoami")(whoami.whoami)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's form of a callback
    if wanted:
        typer.echo(f"holdfast {VERSION}")
        raise typer.Exit


@app.callback()
def choose(
    ctx: typer.Context,
    *,
    api: Annotated[
        str | None,
        typer.Option("--api", help="The API's address. [env: HOLDFAST_API]", show_default=False),
    ] = None,
    context: ContextOption = None,
    stack: StackOption = None,
    role: Annotated[
        Role | None,
        typer.Option(
            "--role", help="Whose token of a local stack; admin's if not given.", show_default=False
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback has the work
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Start, look at and steer durable workflows."""
    ctx.obj = Selection(api=api, context=context, stack=stack, role=role)


def main() -> None:
    """Run the command and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows its number.
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="holdfast")
