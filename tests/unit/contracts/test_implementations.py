"""Every name of the contract is implemented once, by an app that may, with the contract's types."""

from __future__ import annotations

from collections import Counter
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from dapr.ext.workflow import WorkflowRuntime

from holdfast_activity_worker.activities import implementations
from holdfast_activity_worker.jobs import JobSources
from holdfast_contracts import catalogue
from holdfast_contracts.core import App, Workflow
from holdfast_orchestrator.registry import register_all
from holdfast_orchestrator.workflows import IMPLEMENTATIONS


def registry_of_the_orchestrator() -> Any:
    runtime = WorkflowRuntime(host="127.0.0.1", port="1")
    register_all(runtime, "activity-worker", lambda _question: True)
    worker: Any = vars(runtime)["_WorkflowRuntime__worker"]
    return vars(worker)["_registry"]


def test_every_workflow_of_the_contract_is_registered_under_its_name_and_nothing_else() -> None:
    assert set(registry_of_the_orchestrator().orchestrators) == set(catalogue.WORKFLOWS)


def test_every_activity_has_exactly_one_implementation_in_the_app_that_the_contract_names() -> None:
    worker = Counter(one.activity.name for one in implementations(JobSources(())))
    assert worker == Counter(catalogue.activities_of(App.ACTIVITY_WORKER).keys())
    orchestrator = set(registry_of_the_orchestrator().activities)
    assert orchestrator == set(catalogue.activities_of(App.ORCHESTRATOR))


@pytest.mark.parametrize(
    ("workflow", "function"), IMPLEMENTATIONS, ids=lambda value: getattr(value, "name", "")
)
def test_a_workflow_function_has_the_name_and_the_types_of_its_contract(
    workflow: Workflow[Any, Any], function: Any
) -> None:
    assert function.__name__ == workflow.name
    hints = get_type_hints(function)
    returned = hints.pop("return")
    _run, given = hints.values()
    assert given is (workflow.turn or workflow.input)
    assert workflow.output in results(returned)


def results(steps: Any) -> tuple[Any, ...]:
    """What a function that returns ``Steps[…]`` returns at its end."""
    result = get_args(steps)[-1]
    return get_args(result) if get_origin(result) in {Union, UnionType} else (result,)
