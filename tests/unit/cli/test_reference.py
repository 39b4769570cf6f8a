"""docs/cli.md says what the command says."""

from __future__ import annotations

import re

import cli_reference
from holdfast_cli.errors import ExitCode

PAGE = cli_reference.PAGE.read_text("utf-8")


def test_reference_is_what_help_says() -> None:
    assert cli_reference.page(PAGE) == PAGE, "run .venv/bin/python tools/cli_reference.py"


def test_every_exit_status_is_documented() -> None:
    table = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)

    assert [int(code) for code in table] == [int(code) for code in ExitCode]


def test_every_command_is_shown_in_use() -> None:
    guide = PAGE.split(cli_reference.MARK)[0].replace("holdfast wf ", "holdfast workflow ")

    missing = [
        " ".join(words)
        for words in cli_reference.commands()
        if words not in {(), ("workflow",), ("batch",), ("webhook",), ("context",)}
        and f"holdfast {' '.join(words)}" not in guide
    ]
    assert missing == []
