"""docs/cli.md says what the command says."""

from __future__ import annotations

import re

import pytest

import cli_examples
import cli_reference
from holdfast_cli.errors import ExitCode

PAGE = cli_reference.PAGE.read_text("utf-8")
EXAMPLES = cli_examples.PAGE.read_text("utf-8")
GROUPS = {(), ("workflow",), ("batch",), ("webhook",), ("context",)}
COMMANDS = [words for words in cli_reference.commands() if words not in GROUPS]
#: Prints YAML for kubectl, and never anything else.
ONE_FORM = ("secrets",)
each_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def test_reference_is_what_help_says() -> None:
    assert cli_reference.page(PAGE) == PAGE, "run .venv/bin/python tools/cli_reference.py"


def test_every_exit_status_is_documented() -> None:
    table = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)

    assert [int(code) for code in table] == [int(code) for code in ExitCode]


def test_every_command_is_shown_in_use() -> None:
    guide = PAGE.split(cli_reference.MARK)[0].replace("holdfast wf ", "holdfast workflow ")

    missing = [" ".join(words) for words in COMMANDS if f"holdfast {' '.join(words)}" not in guide]
    assert missing == []


@each_command
def test_every_command_is_shown_with_its_output(words: tuple[str, ...]) -> None:
    _, found, after = EXAMPLES.partition(f"### `holdfast {' '.join(words)}`\n\n```console\n")
    assert found, "run .venv/bin/python tools/cli_examples.py"
    example = after.partition("\n```\n")[0].replace("holdfast wf ", "holdfast workflow ")
    example = re.sub(r"holdfast --role \w+ wf ", "holdfast workflow ", example)

    first, *rest = example.splitlines()

    assert first.startswith(f"$ holdfast {' '.join(words)}")
    assert any(line and not line.startswith("$ ") for line in rest)


def test_no_example_shows_where_it_was_made() -> None:
    assert str(cli_examples.ROOT) not in EXAMPLES
    assert "/tmp/" not in EXAMPLES  # noqa: S108 - a text to look for


@each_command
def test_every_command_writes_a_table_json_or_yaml(words: tuple[str, ...]) -> None:
    takes_it = "-o, --output <table|json|yaml>" in cli_reference.help_of(words)

    assert takes_it == (words != ONE_FORM)
