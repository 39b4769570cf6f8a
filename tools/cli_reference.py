"""Write the reference part of docs/cli.md: what `--help` says, of every command.

Run it after a change of the command: `.venv/bin/python tools/cli_reference.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from holdfast_cli.main import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
MARK = "<!-- From here on written by tools/cli_reference.py -->\n"


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that is not hidden, groups included."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), get_command(app))]
    while waiting:
        words, command = waiting.pop(0)
        yield words
        inner = getattr(command, "commands", {})
        waiting[:0] = [((*words, name), one) for name, one in inner.items() if not one.hidden]


def help_of(words: tuple[str, ...]) -> str:
    """Return what the command says of itself, on a screen of 80 columns."""
    answer = CliRunner().invoke(
        app, [*words, "--help"], prog_name="holdfast", env={"COLUMNS": "80"}
    )
    return "\n".join(line.rstrip() for line in answer.stdout.strip().splitlines())


def page(before: str) -> str:
    """Return the page with its reference written anew."""
    head = before.partition(MARK)[0]
    parts = [
        f"### `{' '.join(('holdfast', *words))}`\n\n```\n{help_of(words)}\n```\n"
        for words in commands()
    ]
    return head + MARK + "\n## Reference\n\n" + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
