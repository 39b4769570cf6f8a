"""``holdfast secrets``: what the charts refer to, made in one go."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from holdfast_cli import manifests
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.inputs import file_bytes
from holdfast_cli.manifests import Database, TlsMode
from holdfast_cli.output import note

_DEVELOPMENT = "postgresql.holdfast-data.svc"


def secrets(
    *,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where Holdfast is installed.")
    ] = "holdfast",
    tokens_file: Annotated[
        Path,
        typer.Option("--tokens-file", help="Where the API's tokens go; only you can read it."),
    ] = Path("holdfast-tokens.json"),
    tokens_only: Annotated[
        bool, typer.Option("--tokens-only", help="Make new tokens of the API, and nothing else.")
    ] = False,
    database_host: Annotated[
        str, typer.Option("--database-host", help="Where PostgreSQL is.")
    ] = _DEVELOPMENT,
    database_port: Annotated[
        int, typer.Option("--database-port", min=1, max=65535, help="Its port.")
    ] = 5432,
    database_name: Annotated[
        str, typer.Option("--database-name", help="The database there.")
    ] = "holdfast",
    tls_mode: Annotated[
        TlsMode | None,
        typer.Option(
            "--tls-mode",
            help="PostgreSQL's sslmode. If not given: verify-full with --ca-file, disable for the"
            " development database, else require.",
            show_default=False,
        ),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file",
            help="The certificate of the authority that the database's must come from.",
            show_default=False,
        ),
    ] = None,
    passwords: Annotated[
        str | None,
        typer.Option(
            "--passwords",
            metavar="FILE",
            help="Passwords that the database's roles have already: JSON or YAML with owner,"
            " worker, status and dapr, or the Secret that holds them; - is stdin.",
            show_default=False,
        ),
    ] = None,
    passwords_file: Annotated[
        Path | None,
        typer.Option(
            "--passwords-file",
            help="For a database that is not the development one: write the fresh passwords"
            " there, as roles.sql takes them, and print no Secret for a server.",
            show_default=False,
        ),
    ] = None,
    server_namespace: Annotated[
        str, typer.Option("--server-namespace", help="Where the development database is.")
    ] = "holdfast-data",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Print the Secrets that the charts refer to, with fresh values, for `kubectl apply -f -`."""
    if passwords is not None and passwords_file is not None:
        raise typer.BadParameter("--passwords and --passwords-file exclude each other")
    mode = _mode(tls_mode, ca_file, database_host)
    # All is read before anything is written.
    certificate = None if ca_file is None else _certificate(ca_file)
    known = None if passwords is None else _passwords(passwords)
    own = known or manifests.fresh_passwords()
    tokens = manifests.fresh_tokens()
    files = {tokens_file: json.dumps(tokens, indent=1) + "\n"}
    if passwords_file is not None and not tokens_only:
        files[passwords_file] = manifests.environment(own)
    documents = manifests.token_secrets(namespace, tokens)
    if not tokens_only:
        database = Database(database_host, database_port, database_name, mode, own)
        documents += manifests.sidecar_secrets(namespace)
        documents += _database_secrets(namespace, database)
        if certificate is not None:
            documents.append(manifests.authority_secret(namespace, certificate))
        if known is None and passwords_file is None:
            if database_host != _DEVELOPMENT:
                raise typer.BadParameter(
                    "a database of your own needs --passwords, or --passwords-file for fresh ones"
                )
            documents.append(manifests.server_secret(server_namespace, own))
    _write_all(files, force=force)
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False), nl=False)
    if sys.stdout.isatty():
        note("these are secrets; next time: holdfast secrets | kubectl apply -f -")
    note(f"the API's tokens are in {tokens_file}")


def _database_secrets(namespace: str, database: Database) -> list[dict[str, Any]]:
    try:
        return manifests.database_secrets(namespace, database)
    except ValueError as error:
        title = "No sidecar could connect to the database"
        raise CliError(ExitCode.INVALID, title, str(error)) from None


def _mode(given: TlsMode | None, ca_file: str | None, host: str) -> TlsMode:
    default = TlsMode.DISABLE if host == _DEVELOPMENT else TlsMode.REQUIRE
    mode = given or (default if ca_file is None else TlsMode.VERIFY_FULL)
    if mode.verifies and ca_file is None:
        raise typer.BadParameter(f"--tls-mode {mode} needs --ca-file: whom to believe")
    if ca_file is not None and not mode.verifies:
        raise typer.BadParameter(f"--tls-mode {mode} verifies nothing: leave out --ca-file")
    return mode


def _certificate(name: str) -> str:
    text = file_bytes(name, "The certificate").decode("utf-8", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise CliError(ExitCode.INVALID, f"{name} holds no certificate", "It must be PEM.")
    return text


def _passwords(name: str) -> dict[str, str]:
    text = file_bytes(name, "The file of passwords").decode("utf-8", "replace")
    try:
        return manifests.passwords_in(text)
    except ValueError as error:
        raise CliError(ExitCode.INVALID, "These are no passwords", str(error)) from None


def _write_all(files: dict[Path, str], *, force: bool) -> None:
    """Write files that only their owner can read, none of them over another one."""
    if not force:
        for path in files:
            if path.exists():
                raise CliError(
                    ExitCode.CONFLICT,
                    f"{path} is there",
                    "It may hold values that are in use: name another file, or replace it with"
                    " --force.",
                )
    for path, text in files.items():
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with os.fdopen(
                os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as out:
                out.write(text)
            scratch.replace(path)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise CliError(ExitCode.FAILED, f"{path} cannot be written", error.strerror) from None
