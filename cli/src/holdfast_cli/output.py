"""Write results: tables for people, JSON and YAML for programs, complaints to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO
from typing import Any

import typer
import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from holdfast_cli.errors import CliError

#: Wide enough that nothing is cut or folded where a program reads.
_ENDLESS = 100_000
#: What could steer the reader's terminal, and halves of characters that cannot be written.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_STYLES = {
    "PENDING": "blue",
    "RUNNING": "cyan",
    "SUSPENDED": "yellow",
    "COMPLETED": "green",
    "FAILED": "bold red",
    "TERMINATED": "magenta",
    "CANCELLED": "yellow",
}


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show(document: Any, form: Format, table: Callable[[Any], RenderableType]) -> None:
    """Write a document to stdout in the form that was asked for."""
    if form is Format.TABLE:
        print_rich(table(document))
    else:
        typer.echo(serialize(document, form), nl=False)


def serialize(document: Any, form: Format) -> str:
    """Return the document as JSON or YAML text that ends with a newline."""
    if form is Format.YAML:
        text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        if _UNPRINTABLE.search(text.replace("\n", "")):
            return str(yaml.safe_dump(document, sort_keys=False))
        return text
    return _escaped_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def one_line(document: Any, form: Format) -> str:
    """Return the document as one member of a stream: a line of JSON, or a YAML document."""
    if form is Format.YAML:
        return "---\n" + serialize(document, form)
    return _escaped_json(json.dumps(document, ensure_ascii=False)) + "\n"


def print_rich(renderable: RenderableType) -> None:
    """Write to stdout: coloured and fitted on a terminal, else whole and plain."""
    if sys.stdout.isatty():
        Console(highlight=False).print(renderable)
        return
    buffer = StringIO()
    Console(file=buffer, width=_ENDLESS, highlight=False, color_system=None).print(renderable)
    typer.echo("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()), nl=False)


def note(text: str) -> None:
    """Say something on stderr that is no result."""
    typer.echo(f"holdfast: {printable(text)}", err=True)


def complain(error: CliError) -> None:
    """Say on stderr what went wrong."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble("holdfast: ", (printable(error.title), "bold red")))
    if error.detail:
        console.print(Text(f"  {printable(error.detail)}"))
    for fault in error.faults:
        console.print(Text(f"  - {printable(fault)}"))


def printable(text: str) -> str:
    """Return the text with whatever could steer a terminal made visible."""
    return _UNPRINTABLE.sub(lambda match: _visible(match[0]), text)


def cell(value: Any) -> Text:
    """Return a value as the content of a table's cell."""
    if value is None:
        return Text("")
    if isinstance(value, str):
        return Text(moment(value), style=_STYLES.get(value, ""))
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(_escaped_json(json.dumps(value, ensure_ascii=False)))


def moment(text: str) -> str:
    """Return a time of the API in the short form for people: UTC, to the second."""
    text = printable(text)
    if not _TIME.match(text):
        return text
    parsed = parse_time(text)
    return text if parsed is None else f"{parsed.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def parse_time(value: Any) -> datetime | None:
    """Return a time of the API, or ``None`` if it is none."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def rows(headers: Sequence[str], lines: Iterable[Sequence[Any]], *, empty: str) -> RenderableType:
    """Return a table with a heading, or a sentence where there is nothing to show."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for line in lines:
        table.add_row(*map(cell, line))
    return table if table.row_count else Text(empty)


def fields(pairs: Mapping[str, Any]) -> Table:
    """Return names and values, one to a line; what has no value is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        if value is not None:
            table.add_row(name, value if isinstance(value, Text) else cell(value))
    return table


def _visible(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"  # noqa: PLR2004


def _escaped_json(text: str) -> str:
    # What json leaves as it is: everything but C0. The newlines of the indentation are ours.
    return re.sub(
        r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]",
        lambda match: f"\\u{ord(match[0]):04x}",
        text,
    )
