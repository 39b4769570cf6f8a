"""Everything that is registered, by name. Each name exists once.

What is here is found: every `Workflow` in a module of this package, and the activities that it
names. A new pattern is a new module and no line in a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules
from typing import Any, TypeVar

import holdfast_contracts
from holdfast_contracts.core import (
    CHECKPOINT,
    CLOSE_RUN,
    PARENT_COMMITTED,
    Activity,
    App,
    Workflow,
)

T = TypeVar("T", Workflow[Any, Any], Activity[Any, Any])


def _workflows() -> Iterable[Workflow[Any, Any]]:
    for found in iter_modules(holdfast_contracts.__path__):
        name = f"{holdfast_contracts.__name__}.{found.name}"
        if name != __name__:
            yield from (v for v in vars(import_module(name)).values() if isinstance(v, Workflow))


def by_name(values: Iterable[T]) -> dict[str, T]:
    """Return the values by their names; raise ``ValueError`` where two share one."""
    named: dict[str, T] = {}
    for value in values:
        if named.setdefault(value.name, value) is not value:
            raise ValueError(f"the contracts have two things that are called {value.name}")
    return named


WORKFLOWS: dict[str, Workflow[Any, Any]] = by_name(_workflows())

#: What the API offers.
PUBLIC_WORKFLOWS = {name: flow for name, flow in WORKFLOWS.items() if not flow.internal}

ACTIVITIES: dict[str, Activity[Any, Any]] = by_name(
    chain(
        *(workflow.activities for workflow in WORKFLOWS.values()),
        (CLOSE_RUN, CHECKPOINT, PARENT_COMMITTED),
    )
)


def activities_of(app: App) -> dict[str, Activity[Any, Any]]:
    """Return the activities that the given app implements, by name."""
    return {name: activity for name, activity in ACTIVITIES.items() if activity.app is app}
