"""What a Go executable says about itself is read without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_local.build_info import BuildInfo, read_build_info
from tests.unit.local.executables import go_program, script

DAPR = "github.com/dapr/dapr"


@pytest.mark.parametrize("padding", [0, 12, 5_000_000])
def test_package_and_version_are_found_wherever_they_are(tmp_path: Path, padding: int) -> None:
    path = go_program(tmp_path / "p", f"{DAPR}/cmd/placement", DAPR, "v1.18.2", padding=padding)

    assert read_build_info(path) == BuildInfo(f"{DAPR}/cmd/placement", DAPR, "v1.18.2")


def test_files_that_are_no_go_programs_have_no_build_info(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(b"\xff Go buildinf:\x08\x02")
    (tmp_path / "endless").write_bytes(
        (b"\xff Go buildinf:\x08\x02").ljust(32, b"\0") + b"\xff" * 8
    )

    for name in ("empty", "cut", "endless", "missing"):
        assert read_build_info(tmp_path / name) is None
    assert read_build_info(script(tmp_path / "script", "exit 0")) is None
