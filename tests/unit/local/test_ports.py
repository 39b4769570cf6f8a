"""Ports are free, stay the same, and belong to one stack."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast_local import ports
from holdfast_local.folders import StackFolder

NAMES = {name for process in ports.PORTS_OF.values() for name in process}


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "registry" / "ports.json"


def folder(tmp_path: Path, name: str) -> StackFolder:
    made = StackFolder(tmp_path, name)
    made.create()
    return made


def test_every_name_gets_a_free_port_below_the_outgoing_ones(
    tmp_path: Path, registry: Path
) -> None:
    given = ports.assign(folder(tmp_path, "one"), registry=registry)
    assert set(given) == NAMES
    assert len(set(given.values())) == len(NAMES)
    assert all(port < 32768 and ports.is_free(port) for port in given.values())


def test_the_ports_stay_the_same(tmp_path: Path, registry: Path) -> None:
    one = folder(tmp_path, "one")
    assert ports.assign(one, registry=registry) == ports.assign(one, registry=registry)


def test_only_a_port_that_is_taken_changes(tmp_path: Path, registry: Path) -> None:
    one = folder(tmp_path, "one")
    before = ports.assign(one, registry=registry)
    with socket.create_server(("127.0.0.1", before["scheduler"])):
        after = ports.assign(one, registry=registry)
    assert {name for name in before if before[name] != after[name]} == {"scheduler"}


def test_stacks_that_start_at_once_share_no_port(tmp_path: Path, registry: Path) -> None:
    folders = [folder(tmp_path, f"s{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda one: ports.assign(one, registry=registry), folders))
    numbers = [port for one in given for port in one.values()]
    assert len(set(numbers)) == len(numbers)


def test_a_stack_that_is_down_keeps_its_ports_until_its_folder_goes(
    tmp_path: Path, registry: Path
) -> None:
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    first = ports.assign(one, registry=registry)
    two.ports.write_text(one.ports.read_text())  # a copy of the folder wants the same ports
    assert not set(ports.assign(two, registry=registry).values()) & set(first.values())

    for file in (one.ports, one.logs, one.components, one.metrics):
        file.unlink() if file.is_file() else file.rmdir()
    one.path.rmdir()
    ports.assign(two, registry=registry)
    assert str(one.path) not in registry.read_text()
