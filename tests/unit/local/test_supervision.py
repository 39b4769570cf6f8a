"""What supervisord is told, and what it is never told."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest

from holdfast_local.errors import NotUpError, StackError
from holdfast_local.folders import StackFolder
from holdfast_local.supervision import Program, Supervisor, render


def section(tmp_path: Path, program: Program) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(render(StackFolder(tmp_path, "one"), [program]))
    return parser[f"program:{program.name}"]


def test_commands_with_spaces_and_percent_signs_arrive_as_they_are(tmp_path: Path) -> None:
    command = ["/a folder/run", "--rate=50%", "--name=it's"]
    read = section(tmp_path, Program("p", command, {"KEY": "a, b=50%"}))
    assert shlex.split(read["command"]) == command
    assert read["environment"] == 'KEY="a, b=50%"'


@pytest.mark.parametrize("value", ['say "no"', "two\nlines", "a ;comment", "a #comment", "#"])
def test_what_the_file_format_would_change_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(StackError, match="cannot hold"):
        render(StackFolder(tmp_path, "one"), [Program("p", ["run"], {"KEY": value})])


def test_a_process_is_restarted_for_ever(tmp_path: Path) -> None:
    read = section(tmp_path, Program("p", ["run"]))
    assert read["autorestart"] == "true"
    assert read["killasgroup"] == "true"


def test_a_supervisor_that_is_not_there_is_not_up(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "none.sock")
    assert not supervisor.is_up()
    with pytest.raises(NotUpError):
        supervisor.pid("postgres")


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 31, "a/b", ".."])
def test_names_that_would_make_bad_app_ids_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StackError, match="no name for a stack"):
        StackFolder(tmp_path, name)


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    deep = StackFolder(tmp_path / ("d" * 100), "one")
    assert len(str(deep.supervisord_socket)) < 100
