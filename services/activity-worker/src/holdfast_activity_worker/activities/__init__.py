"""What the activities do: one module for each pattern, and the list of all of them.

The list is found: every implementation that a module here defines. Activities that look at
outside sources are made for them, by a function `observations` of their module.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.work import Effect, Implementation, Observation


def implementations(sources: JobSources) -> tuple[Implementation[Any, Any], ...]:
    """Return the one implementation of every activity that the contract gives to the worker.

    Raises ``ValueError`` where an activity has two.
    """
    found: dict[str, Implementation[Any, Any]] = {}
    for module in [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]:
        make = getattr(module, "observations", None)
        made = () if make is None else make(sources)
        for value in (*vars(module).values(), *made):
            if not isinstance(value, Effect | Observation):
                continue
            if found.setdefault(value.activity.name, value) is not value:
                raise ValueError(f"{value.activity.name} is implemented twice")
    return tuple(found.values())
