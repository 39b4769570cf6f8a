"""``holdfast certify``: read a resume certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.inputs import file_bytes
from holdfast_cli.output import Format, cell, fields, note, printable, rows, show
from holdfast_cli.session import Output, client

_USUAL = Path(".run") / "demo" / "certificate.json"
_SCHEMA = "holdfast.resume-certificate"
_VERSION = 1
_PASS = "pass"  # noqa: S105 - a verdict


def certify(
    ctx: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="The certificate as JSON; - is stdin. If not given, the one that `make demo` wrote"
            " last, in this folder or one above.",
            show_default=False,
        ),
    ] = None,
    *,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Hand it in, with the HTML page beside it, for the console to show (admin).",
        ),
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show a resume certificate; exit with 0 only if it passed."""
    name = file if file is not None else str(_nearest())
    certificate = _read(name)
    if publish:
        _publish(ctx, name, certificate)
    show(certificate, output, _summary)
    if certificate["verdict"] != _PASS:
        raise typer.Exit(ExitCode.FAILED)


def _publish(ctx: typer.Context, name: str, certificate: dict[str, Any]) -> None:
    if name == "-":
        raise typer.BadParameter("--publish needs a file: its page is the .html beside it")
    page = file_bytes(str(Path(name).with_suffix(".html")), "The certificate's page")
    body = {"certificate": certificate, "page": page.decode("utf-8", "replace")}
    connection = client(ctx)
    kept = connection.post("/certificates", body).document
    api = connection.server.api.rstrip("/")
    note(f"published: {api}/console/certificates/{kept['certificate_id']}")


def _nearest() -> Path:
    here = Path.cwd()
    found = next(
        (folder / _USUAL for folder in (here, *here.parents) if (folder / _USUAL).is_file()), None
    )
    if found is None:
        raise CliError(
            ExitCode.NOT_FOUND,
            "No certificate",
            f"There is no {_USUAL} in this folder or one above; `make demo` writes one.",
        )
    return found


def _read(name: str) -> dict[str, Any]:
    try:
        document = json.loads(file_bytes(name, "The certificate"))
    except (ValueError, RecursionError) as error:
        raise CliError(ExitCode.INVALID, f"{name} is no certificate", str(error)) from None
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise CliError(
            ExitCode.INVALID, f"{name} is no certificate", f"Its schema is not {_SCHEMA}."
        )
    if document.get("version") != _VERSION:
        raise CliError(
            ExitCode.INVALID,
            f"{name} is a certificate of another version",
            f"This command reads version {_VERSION}.",
        )
    missing = {"verdict", "faults", "runs", "invariants", "effects", "attempts"} - document.keys()
    if missing:
        raise CliError(
            ExitCode.INVALID, f"{name} is incomplete", f"It has no {', '.join(sorted(missing))}."
        )
    return document


def _summary(document: dict[str, Any]) -> RenderableType:
    passed = document["verdict"] == _PASS
    effects, attempts = document["effects"], document["attempts"]
    recovery = document.get("recovery_seconds") or {}
    faults = document["faults"]
    void = sum(bool(fault.get("void")) for fault in faults)
    head = fields(
        {
            "verdict": Text(str(document["verdict"]), "bold green" if passed else "bold red"),
            "seed": document.get("seed"),
            "target": document.get("target"),
            "finished": document.get("finished_at"),
            "faults": f"{len(faults)}, void: {void}",
            "runs": len(document["runs"]),
            "effects": _counts(effects, "total", "missing", "duplicated"),
            "attempts": _counts(attempts, "total", "repeated", "interrupted"),
            "recovery": _counts(recovery, "p50", "p99", "max", unit=" s"),
        }
    )
    invariants = rows(
        ("", "INVARIANT", "FACTS", "WHAT IT CLAIMS"),
        (
            (_mark(one), one.get("id"), one.get("facts"), one.get("title"))
            for one in document["invariants"]
        ),
        empty="No invariants.",
    )
    violations = [
        Text.assemble((f"{one.get('id')}  ", "bold red"), printable(str(violation)))
        for one in document["invariants"]
        for violation in one.get("violations", ())
    ]
    return Group(head, Text(), invariants, *([Text()] if violations else []), *violations)


def _counts(found: dict[str, Any], *names: str, unit: str = "") -> Text | None:
    given = [f"{name} {found[name]}{unit}" for name in names if found.get(name) is not None]
    return cell(", ".join(given)) if given else None


def _mark(invariant: dict[str, Any]) -> str:
    if not invariant.get("applies", True):
        return "-"
    return "ok" if invariant.get("holds") else "BROKEN"
