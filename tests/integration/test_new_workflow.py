"""A workflow that is laid out runs as it is: checked, tested, and killed on a real stack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.clone import ROOT, files, packages

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

#: A name that nobody takes who tries the page on workflows of one's own.
NAME = "laid_out_by_a_test"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tree as it is now, elsewhere, with an environment in which its packages are its own."""
    clone = tmp_path / "c"
    for path in files():
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(["git", "init", "-q", clone], check=True)
    venv.create(clone / ".venv", with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = [str(clone / path.relative_to(ROOT) / "src") for path in packages()]
    others = sysconfig.get_path("purelib")
    site = clone / ".venv" / "lib" / version / "site-packages"
    (site / "clone.pth").write_text("\n".join([*own, others, ""]))
    scripts = Path(sysconfig.get_path("scripts"))
    (clone / ".venv" / "bin" / "ruff").symlink_to(scripts / "ruff")
    return clone


def run(clone: Path, *command: str) -> str:
    done = subprocess.run(
        [clone / ".venv" / "bin" / "python", *command],
        cwd=clone,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_laid_out_workflow_passes_every_check_and_survives_kills_on_a_real_stack(
    clone: Path,
) -> None:
    told = run(clone, "tools/new_workflow.py", NAME)
    laid_out = [line.strip() for line in told.splitlines() if line.endswith(f"{NAME}.py")]
    assert len(laid_out) == 6

    run(clone, "-m", "ruff", "check", *laid_out)
    run(clone, "-m", "ruff", "format", "--check", *laid_out)
    run(clone, "-m", "mypy", *laid_out)
    unit = ["tests/unit/contracts", "tests/unit/layout/test_imports.py"]
    told = run(clone, "-m", "pytest", f"tests/unit/orchestrator/test_{NAME}.py", *unit)
    assert "passed" in told
    # Its own stack, in the clone: in the public catalogue, with the clone's services.
    told = run(clone, "-m", "pytest", f"tests/integration/test_{NAME}.py")
    assert "3 passed" in told
