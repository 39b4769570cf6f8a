"""The command knows the API, and nothing of what is behind it."""

from __future__ import annotations

from tests.support.clone import ROOT
from tests.unit.layout.imports import imports, sources


def test_command_imports_no_other_package_of_the_repository() -> None:
    uses = [use for file in sources(ROOT / "cli") for use in imports(file)]

    assert uses
    assert [
        str(use)
        for use in uses
        if use.name.startswith("holdfast_") and use.name.partition(".")[0] != "holdfast_cli"
    ] == []
