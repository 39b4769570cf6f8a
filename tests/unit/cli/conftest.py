from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from holdfast_cli.main import app
from tests.unit.cli.server import Api, running_api

#: What a caller's shell may have set, and no test wants.
_OF_THE_CALLER = ("HOLDFAST_", "NO_COLOR", "FORCE_COLOR", "DISPLAY", "WAYLAND_DISPLAY", "COLUMNS")


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass
class Cli:
    """The command: in this process, or as a process of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: bytes | str = b"", **env: str) -> Ended:
        done = CliRunner().invoke(app, arguments, stdin, env={**self.env, **env})
        assert "Traceback" not in done.output
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    def process(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the command as a shell does."""
        return subprocess.Popen(
            [sys.executable, "-m", "holdfast_cli", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.env, **options.pop("env", {})},
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            **options,
        )


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as server:
        yield server


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Give the command where there is no context, no stack and nothing in the environment."""
    for name in list(os.environ):
        if name.startswith(_OF_THE_CALLER):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    return Cli(tmp_path, env)


@pytest.fixture
def cli(nowhere: Cli, api: Api) -> Cli:
    """Give the command with the server in its environment."""
    nowhere.env["HOLDFAST_API"] = api.url
    return nowhere


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Give a function that writes a file into the folder of the command."""

    def to_file(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    return to_file
