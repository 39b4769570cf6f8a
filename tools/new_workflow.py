"""Lay out a workflow in every folder: contract, workflow, activities, chaos declaration, tests.

make new-workflow NAME=invoice_reminder

All files or none are written, and none is overwritten. Nothing has to be registered: workflows,
activities and declarations are found by their names.
"""

from __future__ import annotations

import argparse
import keyword
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path(__file__).resolve().parent / "templates" / "workflow"
LONGEST_NAME = 32
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
_WORKER = "services/activity-worker/src/holdfast_activity_worker"
#: Where each template goes.
LAYOUT = {
    "contract.py.j2": "contracts/src/holdfast_contracts/{name}.py",
    "workflow.py.j2": "services/orchestrator/src/holdfast_orchestrator/workflows/{name}.py",
    "activities.py.j2": f"{_WORKER}/activities/{{name}}.py",
    "declaration.py.j2": "chaos/src/holdfast_chaos/model/{name}.py",
    "test_workflow.py.j2": "tests/unit/orchestrator/test_{name}.py",
    "test_run.py.j2": "tests/integration/test_{name}.py",
}


class RefusedError(Exception):
    """It cannot be laid out; nothing was written."""


def main() -> None:
    """Lay out the workflow that is named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="what the workflow is called, in snake case")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        written = lay_out(arguments.name, arguments.root)
    except RefusedError as error:
        sys.exit(f"new-workflow: {error}")
    print(f"The workflow {arguments.name} is laid out:")
    for path in written:
        print(f"  {path}")
    print(
        "It runs as it is. Next: `make lint types`, "
        f"`make unit ARGS='-k {arguments.name}'`, `make up`;\n"
        "docs/your-own-workflow.md tells what to change where."
    )


def lay_out(name: str, root: Path) -> list[str]:
    """Write the files and return their paths; raise ``RefusedError`` and write none."""
    check_name(name, root)
    targets = {template: path.format(name=name) for template, path in LAYOUT.items()}
    for path in targets.values():
        if (root / path).exists():
            raise RefusedError(f"{name!r} is taken: {path} exists")
    texts = {path: tidy(render(template, name), path, root) for template, path in targets.items()}
    written: list[Path] = []
    try:
        for path, text in texts.items():
            with (root / path).open("x", encoding="utf-8") as file:
                written.append(root / path)
                file.write(text)
    except OSError as error:
        for done in written:
            with suppress(OSError):
                done.unlink()
        raise RefusedError(f"{error.filename}: {error.strerror}; nothing was written") from error
    return list(texts)


def check_name(name: str, root: Path) -> None:
    """Raise ``RefusedError`` for what cannot name a workflow, and for what names one already."""
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"{name!r} is no name for a workflow: lower-case words of letters and digits, each"
            " beginning with a letter, with '_' between them, like invoice_reminder"
        )
    if len(name) > LONGEST_NAME:
        raise RefusedError(f"{name!r} is longer than {LONGEST_NAME} letters")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise RefusedError(f"{name!r} is a word of Python's; take another one")
    for taken in sorted(names(root)):
        if taken in {name, f"prepare_{name}", f"finish_{name}"}:
            raise RefusedError(f"{name!r} is taken: the contracts have something called {taken!r}")
    if re.search(r"_v[0-9]+$", name):
        raise RefusedError(
            f"{name!r} is how an earlier version of a workflow is called (docs/versioning.md)"
        )


def names(root: Path) -> set[str]:
    """Return every name that the contracts give to a workflow or an activity."""
    contracts = root / "contracts" / "src" / "holdfast_contracts"
    called = re.compile(r"\b(?:Workflow|Activity)\(\s*\"([^\"]+)\"")
    files = contracts.glob("*.py")
    return {name for file in files for name in called.findall(file.read_text("utf-8"))}


def render(template: str, name: str) -> str:
    """Fill in a template."""
    environment = Environment(  # noqa: S701 - it writes Python, and its only value is a checked name
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    words = name.split("_")
    return environment.get_template(template).render(
        name=name,
        upper=name.upper(),
        camel="".join(word.capitalize() for word in words),
        title=" ".join(words).capitalize(),
    )


def tidy(text: str, path: str, root: Path) -> str:
    """Order the imports and break the lines as `make format` would: both depend on the name."""
    for command in (["check", "--fix-only", "--quiet", "--select", "I"], ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", path, "-"],
            cwd=root,
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


if __name__ == "__main__":
    main()
