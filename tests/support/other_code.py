"""A copy of the workflows' code that a test may change, and what runs it instead of the tree's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.clone import ROOT

_SOURCES = (ROOT / "contracts" / "src", ROOT / "services" / "orchestrator" / "src")
WORKFLOWS = Path("holdfast_orchestrator/workflows")
CONTRACTS = Path("holdfast_contracts")


@dataclass(frozen=True)
class OtherCode:
    """Contracts and orchestrator in a folder of their own; as the tree has them, at first."""

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> OtherCode:
        """Copy the tree's code; what the folder has is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        for source in _SOURCES:
            shutil.copytree(
                source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a Python process take this code."""
        return {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def edit(self, file: Path, old: str, new: str) -> None:
        """Put something in the place of the one place where the file has ``old``."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new), "utf-8")

    def replay(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the replay check with this code."""
        return subprocess.run(
            [sys.executable, "-m", "holdfast_orchestrator", "replay", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
