"""A machine that is what a test says, for the commands that look at it before they do anything."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from holdfast_cluster import (
    checks,
    cluster,
    deploy,
    doctor,
    own_engine,
    packages,
    registry,
)
from holdfast_cluster.checks import GIGABYTE
from holdfast_cluster.cli import app
from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.nodes import Condition, Nodes
from holdfast_cluster.supplies import Supplies

#: What the commands say when nothing has kept them from going on.
NEXT = "Here the work itself begins."
DOCKER = frozenset({"docker", "dockerd", "iptables"})


@dataclass
class Machine:
    """All that the commands ask; as it is at first, nothing is missing."""

    folder: Path
    port: int
    disk: int = 100 * GIGABYTE
    memory: int = 16 * GIGABYTE
    root: bool = True
    debian: bool = True
    registry: bool = True
    programs: frozenset[str] = DOCKER
    answers: bool = True
    condition: Condition = Condition.NONE
    dapr: str | None = "1.18.2"
    older: tuple[str, ...] = ()
    #: What was built or changed.
    done: list[str] = field(default_factory=list)

    def change(self, **facts: Any) -> None:
        """Make the machine another one."""
        for name, value in facts.items():
            setattr(self, name, value)

    def find_engine(self, log: Path, *_rest: object) -> Engine | None:
        return Engine("/bin/false", None, log) if self.answers else None

    def find_program(self, name: str) -> str | None:
        return f"/none/{name}" if name in self.programs else None

    def ensure_tools(self, names: tuple[str, ...]) -> dict[str, Path]:
        self.done.append("tools")
        return dict.fromkeys(names, Path("/bin/false"))

    def begin(self, *_arguments: object, **_options: object) -> None:
        raise ClusterError(NEXT)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return its exit status and what it says on either stream."""
        ended = CliRunner().invoke(app, ["--port", str(self.port), *arguments])
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return ended.exit_code, ended.stdout, ended.stderr

    def refused(self, *arguments: str) -> str:
        """Run a command that ends before anything is done; return the one line that it says."""
        code, _, said = self(*arguments)
        assert code == 1
        assert self.done == []
        line, *more = said.splitlines()
        assert (line.partition(": ")[0], more) == ("holdfast", [])
        return line

    def goes_on(self, *arguments: str) -> bool:
        """Run a command; tell whether it came to its work."""
        return self(*arguments)[2].endswith(f"holdfast: {NEXT}\n")

    def found(self) -> dict[str, str]:
        """Run the doctor; return what it finds missing, each in one line, by its subject."""
        code, said, error = self("doctor")
        lines = [line[2:].partition(": ") for line in said.splitlines() if line.startswith("✗")]
        assert (code, error) == (1 if lines else 0, "")
        return {subject: text for subject, _, text in lines}


def make_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine on which the commands find what it says, and nothing of the real one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    machine = Machine(folder, port)
    monkeypatch.setenv("HOLDFAST_CACHE_DIR", str(folder / "cache"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    supplies = Supplies(built=False, node="", database="", metrics="", python="")
    answers: dict[str, Any] = {
        "repository": lambda: folder,
        "free_disk": lambda _folder: machine.disk,
        "free_memory": lambda: machine.memory,
        "is_root": lambda: machine.root,
        "is_debian": lambda: machine.debian,
        "is_registry": lambda _url: machine.registry,
        "find_program": machine.find_program,
        "find_engine": machine.find_engine,
        "ensure_tools": machine.ensure_tools,
        "fetching": lambda _names: [],
        "pulled_supplies": lambda _choice: supplies,
        "built_supplies": lambda _engine, _view: supplies,
        "base_image": machine.begin,
        "dapr_version": lambda: "1.18.2",
        "installed_version": lambda *_arguments: machine.dapr,
        "older_crds": lambda *_arguments: machine.older,
        "toolchain_of": lambda _source: _Toolchain(folder),
    }
    for module in (checks, cluster, deploy, doctor, own_engine, packages, registry):
        for name, value in answers.items():
            _replace(monkeypatch, module, name, value)
    monkeypatch.setattr(Nodes, "condition", lambda _nodes: machine.condition)
    monkeypatch.setattr(Nodes, "create", machine.begin)
    return machine


@dataclass(frozen=True)
class _Toolchain:
    folder: Path

    def find(self, _name: str) -> Path:
        return Path("/bin/false")

    def module_folder(self) -> Path:
        return self.folder


def _replace(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, value: Any) -> None:
    """Replace what a module asks, where it asks it."""
    if hasattr(module, name):
        monkeypatch.setattr(module, name, value)
