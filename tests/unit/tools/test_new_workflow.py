"""A workflow is laid out whole or not at all, and only under a name that can be one."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import new_workflow
from tests.support.clone import ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with the folders that a workflow goes to, and the contracts."""
    contracts = Path("contracts/src/holdfast_contracts")
    shutil.copytree(ROOT / contracts, tmp_path / contracts)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in new_workflow.LAYOUT.values():
        folder = (tmp_path / path).parent
        folder.mkdir(parents=True, exist_ok=True)
        if not path.startswith("tests"):
            (folder / "__init__.py").touch()
    return tmp_path


def laid_out(tree: Path, name: str) -> list[Path]:
    every = [tree / path.format(name=name) for path in new_workflow.LAYOUT.values()]
    return [path for path in every if path.exists()]


@pytest.mark.parametrize("name", ["x9", "laid_out_here", "laid_out_n2", "x" * 16 + "_" + "y" * 15])
def test_every_folder_gets_its_file_in_the_repositorys_style(tree: Path, name: str) -> None:
    written = new_workflow.lay_out(name, tree)

    assert len(written) == len(laid_out(tree, name)) == len(new_workflow.LAYOUT)
    for command in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, *written], cwd=tree, check=True)


def test_a_second_workflow_stands_beside_the_first_and_takes_nothing_from_it(tree: Path) -> None:
    first = {
        path: (tree / path).read_text() for path in new_workflow.lay_out("laid_out_first", tree)
    }
    new_workflow.lay_out("laid_out_second", tree)

    assert {path: (tree / path).read_text() for path in first} == first


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is no name for a workflow"),
        ("Invoice", "is no name for a workflow"),
        ("invoice-reminder", "is no name for a workflow"),
        ("2nd_try", "is no name for a workflow"),
        ("a__b", "is no name for a workflow"),
        ("_a", "is no name for a workflow"),
        ("../../a", "is no name for a workflow"),
        ("a b", "is no name for a workflow"),
        ("naïve", "is no name for a workflow"),
        ("a\n", "is no name for a workflow"),
        ("x" * 33, "is longer than 32 letters"),
        ("class", "is a word of Python's"),
        ("match", "is a word of Python's"),
        ("task_chain", "is taken: the contracts have something called 'task_chain'"),
        ("step1", "is taken: the contracts have something called 'step1'"),
        ("batch_chunk", "is taken: the contracts have something called 'batch_chunk'"),
        ("core", "is taken: contracts/src/holdfast_contracts/core.py exists"),
        ("task_chain_v2", "is how an earlier version of a workflow is called"),
    ],
)
def test_a_bad_or_taken_name_is_refused_in_one_line_and_nothing_is_written(
    tree: Path, name: str, why: str
) -> None:
    before = sorted(tree.rglob("*"))
    script = ROOT / "tools" / "new_workflow.py"
    done = subprocess.run(
        [sys.executable, script, "--root", str(tree), "--", name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("new-workflow: ")
    assert done.stderr.count("\n") == 1
    assert why in done.stderr
    assert sorted(tree.rglob("*")) == before


@pytest.mark.parametrize("template", new_workflow.LAYOUT)
def test_a_file_that_is_there_is_kept_and_no_other_is_written(tree: Path, template: str) -> None:
    path = tree / new_workflow.LAYOUT[template].format(name="laid_out_here")
    path.write_text("mine\n")

    with pytest.raises(new_workflow.RefusedError, match="'laid_out_here' is taken: "):
        new_workflow.lay_out("laid_out_here", tree)
    assert laid_out(tree, "laid_out_here") == [path]
    assert path.read_text() == "mine\n"


def test_what_was_written_goes_again_when_the_last_file_cannot_be(tree: Path) -> None:
    *_, last = new_workflow.LAYOUT.values()
    folder = (tree / last).parent
    folder.rmdir()

    with pytest.raises(new_workflow.RefusedError, match=r"No such file.*nothing was written"):
        new_workflow.lay_out("laid_out_here", tree)
    assert laid_out(tree, "laid_out_here") == []


def test_every_template_is_laid_out_and_parses(tree: Path) -> None:
    assert {path.name for path in new_workflow.TEMPLATES.iterdir()} == set(new_workflow.LAYOUT)
    for path in new_workflow.lay_out("laid_out_here", tree):
        ast.parse((tree / path).read_text())
