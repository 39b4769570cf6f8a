"""Read what a module imports and calls, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Use:
    """A name that a file uses, and where."""

    file: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}"


def imports(file: Path) -> Iterator[Use]:
    """Yield the full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (Use(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import stays in its package.
            if node.level == 0 and node.module:
                yield Use(file, node.lineno, node.module)
        elif isinstance(node, ast.Call) and node.args and _called(node) in _BY_NAME:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield Use(file, node.lineno, argument.value)


_BY_NAME = {"import_module", "__import__"}


def calls(file: Path) -> Iterator[Use]:
    """Yield the last part of the name of everything that a file calls."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Call) and (name := _called(node)):
            yield Use(file, node.lineno, name)


def _called(node: ast.Call) -> str | None:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def belongs_to(module: str, packages: set[str]) -> bool:
    """Tell whether a module is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def sources(folder: Path) -> list[Path]:
    """Return the Python files of a package."""
    return sorted((folder / "src").rglob("*.py"))
