"""``python -m holdfast_orchestrator replay``: check before a deployment, and fail it in time."""

from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated

import typer

from holdfast_orchestrator.replay.check import Checker
from holdfast_orchestrator.replay.recording import Recording, dump, load
from holdfast_orchestrator.replay.report import Report


class Format(StrEnum):
    """How the outcome is written."""

    TABLE = "table"
    JSON = "json"


class Exit(IntEnum):
    """The exit statuses."""

    FITS = 0
    #: The code of this tree does not fit a run in flight.
    BROKEN = 1
    #: It is not known of every run: something could not be read.
    UNKNOWN = 2


_Option = typer.Option


def replay(  # noqa: PLR0913 - a command has an argument for each of its options
    *,
    api: Annotated[str | None, _Option("--api", help="The API's address.")] = None,
    context: Annotated[
        str | None, _Option("--context", "-c", help="A context of the holdfast command.")
    ] = None,
    stack: Annotated[
        str | None, _Option("--stack", help="A local stack of this clone that is up.")
    ] = None,
    source: Annotated[
        Path | None,
        _Option("--from", help="Check histories that were saved; ask nobody.", exists=True),
    ] = None,
    save: Annotated[Path | None, _Option("--save", help="Keep the histories in a file.")] = None,
    worker_app_id: Annotated[
        str | None,
        _Option(
            envvar="HOLDFAST_WORKER_APP_ID",
            help="Where the code will send its activities; by default where the installation does.",
        ),
    ] = None,
    absent_ok: Annotated[
        bool,
        _Option("--absent-ok", help="Where nothing answers, nothing is in flight: a first deploy."),
    ] = False,
    output: Annotated[Format, _Option("--output", "-o", help="Format.")] = Format.TABLE,
) -> None:
    """Say which runs in flight would break if the workflow code of this tree were deployed now.

    Without a source it asks the server that the holdfast command would ask, as an admin. Exit
    status: 0 all runs go on; 1 some do not; 2 not all could be checked.
    """
    report = Report([])
    try:
        recordings, report.unknown = _recordings(api, context, stack, source, absent_ok=absent_ok)
    except ValueError as error:
        typer.echo(f"replay: {error}", err=True)
        raise typer.Exit(Exit.UNKNOWN) from None
    if save is not None:
        save.write_text(dump(recordings), "utf-8")
    checker = Checker(worker_app_id=worker_app_id)
    try:
        report.verdicts = [v for each in recordings if (v := checker.check(each)) is not None]
    except ValueError as error:
        typer.echo(f"replay: {error}", err=True)
        raise typer.Exit(Exit.UNKNOWN) from None
    if output is Format.JSON:
        typer.echo(json.dumps(report.document(), indent=2))
    else:
        typer.echo(report.text())
    if report.broken:
        raise typer.Exit(Exit.BROKEN)
    if report.unknown:
        raise typer.Exit(Exit.UNKNOWN)


def _recordings(
    api: str | None,
    context: str | None,
    stack: str | None,
    source: Path | None,
    *,
    absent_ok: bool,
) -> tuple[list[Recording], dict[str, str]]:
    """Return the histories, and of what could not be read why; raise ``ValueError`` for none."""
    if source is not None:
        return load(source.read_text("utf-8")), {}
    try:
        # Only this way of asking needs the command's package; an image does not have it.
        from holdfast_cli.client import Client  # noqa: PLC0415
        from holdfast_cli.errors import CliError, ExitCode  # noqa: PLC0415
        from holdfast_cli.servers import Selection, resolve  # noqa: PLC0415
        from holdfast_orchestrator.replay import installation  # noqa: PLC0415
    except ImportError as error:
        raise ValueError(f"asking an installation needs holdfast-cli: {error}") from error
    try:
        with Client(resolve(Selection(api, context, stack))) as client:
            found = installation.read(client)
    except CliError as error:
        said = f"{error.title}: {error.detail}" if error.detail else error.title
        if absent_ok and error.code in {ExitCode.UNREACHABLE, ExitCode.USAGE}:
            typer.echo(f"replay: nothing to check. {said}", err=True)
            return [], {}
        raise ValueError(said) from error
    return found.recordings, found.unknown
