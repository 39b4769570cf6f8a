"""The workflows, one module for each pattern, and the table that registers them.

A workflow of the contract is the function of its name in one of these modules. Earlier versions
of it, which runs that began in them still need, stand beside it: ``book_trip_v1`` is version "1"
of ``book_trip``. Before you change workflow code that has runs in flight, read docs/versioning.md
and run ``make replay-check``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

from holdfast_contracts.catalogue import WORKFLOWS
from holdfast_contracts.core import Workflow
from holdfast_orchestrator.durable import Steps

Function = Callable[..., Steps[Any]]


class Implementation(NamedTuple):
    """A workflow of the contract, and the function that is one of its versions."""

    workflow: Workflow[Any, Any]
    function: Function
    version: str

    @property
    def is_latest(self) -> bool:
        """Whether runs that start now take this version."""
        return self.version == self.workflow.version


def versions(workflow: Workflow[Any, Any], functions: Iterable[Function]) -> list[Implementation]:
    """Return what of the functions implements the workflow: its latest version, and earlier ones.

    Raises ``ValueError`` where there is no latest version, or two functions are the same one.
    """
    earlier = re.compile(rf"{workflow.name}_v([0-9]+)")
    found: dict[str, Implementation] = {}
    for function in functions:
        named = earlier.fullmatch(function.__name__)
        if named is None and function.__name__ != workflow.name:
            continue
        version = workflow.version if named is None else named[1]
        if version in found:
            raise ValueError(f"{workflow.name} has two functions for its version {version}")
        found[version] = Implementation(workflow, function, version)
    if workflow.version not in found:
        raise ValueError(f"no function of the name {workflow.name} is among the workflows")
    return list(found.values())


def _functions() -> list[Function]:
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    ]


IMPLEMENTATIONS: tuple[Implementation, ...] = tuple(
    implementation
    for workflow in WORKFLOWS.values()
    for implementation in versions(workflow, _functions())
)
