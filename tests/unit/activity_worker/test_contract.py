from __future__ import annotations

from collections import Counter
from typing import get_type_hints

from holdfast_activity_worker.activities import implementations
from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.work import Effect, Work
from holdfast_contracts.catalogue import activities_of
from holdfast_contracts.core import App

IMPLEMENTATIONS = implementations(JobSources(()))


def test_every_activity_of_the_worker_has_exactly_one_implementation() -> None:
    names = Counter(implementation.activity.name for implementation in IMPLEMENTATIONS)
    assert names == Counter(list(activities_of(App.ACTIVITY_WORKER)))


def test_every_function_has_the_name_and_the_types_of_its_contract() -> None:
    for implementation in IMPLEMENTATIONS:
        if not isinstance(implementation, Effect):
            continue  # an observation is made by a factory; mypy compares its types
        activity = implementation.activity
        assert implementation.perform.__name__ == activity.name
        assert list(get_type_hints(implementation.perform).values()) == [
            Work,
            activity.input,
            activity.output,
        ]
