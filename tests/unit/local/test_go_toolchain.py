"""The machine's own Go is used if it is new enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_local.go_toolchain import installed_go, parse_version, wanted_version
from tests.unit.local.executables import script


def go(folder: Path, version: str) -> Path:
    return script(folder / "go", f"test $1 = version && echo go version {version} linux/amd64")


@pytest.mark.parametrize("version", ["go1.26.5", "go1.26.10", "go1.27", "go2.0.1"])
def test_go_that_is_new_enough_is_used(tmp_path: Path, version: str) -> None:
    new = go(tmp_path, version)

    assert installed_go((1, 26, 5), [new]) == new


@pytest.mark.parametrize("version", ["go1.26.4", "go1.9", "devel", "go1.26"])
def test_go_that_is_too_old_or_unknown_is_passed_over(tmp_path: Path, version: str) -> None:
    old = go(tmp_path / "old", version)
    new = go(tmp_path / "new", "go1.30.0")

    assert installed_go((1, 26, 5), [old]) is None
    assert installed_go((1, 26, 5), [old, new]) == new


def test_go_that_cannot_run_is_passed_over(tmp_path: Path) -> None:
    broken = script(tmp_path / "go", "echo go version go1.30.0; exit 1")

    assert installed_go((1, 26, 5), [broken, tmp_path / "missing"]) is None


def test_version_is_read_from_what_go_says_and_from_go_mod() -> None:
    assert parse_version("go version go1.26.6 linux/amd64") == (1, 26, 6)
    assert parse_version("go version devel +abc") is None
    assert wanted_version("module x\n\ngo 1.26.5\n") == (1, 26, 5)
    with pytest.raises(ValueError, match="no Go version"):
        wanted_version("module x\n")
