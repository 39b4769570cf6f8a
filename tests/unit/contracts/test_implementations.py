"""Every name of the contract is implemented once, by an app that may, with the contract's types."""

from __future__ import annotations

from collections import Counter
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from dapr.ext.workflow import WorkflowRuntime

from holdfast_activity_worker.activities import implementations
from holdfast_activity_worker.jobs import JobSources
from holdfast_chaos import model
from holdfast_contracts import catalogue
from holdfast_contracts.core import App, Workflow
from holdfast_contracts.task_chain import TaskChainInput, TaskChainOutput
from holdfast_orchestrator.registry import register_all
from holdfast_orchestrator.workflows import IMPLEMENTATIONS, versions


def registry_of_the_orchestrator() -> Any:
    runtime = WorkflowRuntime(host="127.0.0.1", port="1")
    register_all(runtime, "activity-worker", lambda _question: True)
    worker: Any = vars(runtime)["_WorkflowRuntime__worker"]
    return vars(worker)["_registry"]


def test_every_workflow_of_the_contract_is_registered_under_its_name_and_nothing_else() -> None:
    registry = registry_of_the_orchestrator()
    assert not registry.orchestrators
    assert registry.latest_versioned_orchestrators_version_name == {
        name: workflow.version for name, workflow in catalogue.WORKFLOWS.items()
    }
    assert set(registry.versioned_orchestrators) == set(catalogue.WORKFLOWS)


def test_every_activity_has_exactly_one_implementation_in_the_app_that_the_contract_names() -> None:
    worker = Counter(one.activity.name for one in implementations(JobSources(())))
    assert worker == Counter(catalogue.activities_of(App.ACTIVITY_WORKER).keys())
    orchestrator = set(registry_of_the_orchestrator().activities)
    assert orchestrator == set(catalogue.activities_of(App.ORCHESTRATOR))


@pytest.mark.parametrize(
    ("workflow", "function"),
    [(each.workflow, each.function) for each in IMPLEMENTATIONS if each.is_latest],
    ids=lambda value: getattr(value, "name", ""),
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


def a_flow(run: Any, request: TaskChainInput) -> Any: ...


def a_flow_v1(run: Any, request: TaskChainInput) -> Any: ...


def a_flow_validation(run: Any, request: TaskChainInput) -> Any: ...


def a_flow_v2(run: Any, request: TaskChainInput) -> Any: ...


def flow(name: str = "a_flow", version: str = "2") -> Workflow[Any, Any]:
    return Workflow(name, TaskChainInput, TaskChainOutput, "", activities=(), version=version)


def test_an_earlier_version_stands_beside_the_latest_one_and_is_found_by_its_name() -> None:
    found = versions(flow(), [a_flow, a_flow_v1])
    assert [(each.function, each.version, each.is_latest) for each in found] == [
        (a_flow, "2", True),
        (a_flow_v1, "1", False),
    ]


def test_a_function_whose_name_only_begins_like_a_version_is_none() -> None:
    found = versions(flow(version="1"), [a_flow, a_flow_validation])
    assert [each.function for each in found] == [a_flow]


def test_two_functions_for_one_version_are_refused() -> None:
    with pytest.raises(ValueError, match="two functions for its version 2"):
        versions(flow(), [a_flow, a_flow_v2])


def test_a_workflow_without_its_latest_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no function of the name other_flow"):
        versions(flow("other_flow"), [a_flow])


def test_two_things_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two things that are called a_flow"):
        catalogue.by_name([flow(), flow()])


def test_every_public_workflow_says_what_a_run_of_it_must_leave() -> None:
    assert set(model.MODELS) == set(model.CAUSES) == set(catalogue.PUBLIC_WORKFLOWS)
    for name, causes_of in model.CAUSES.items():
        causes = causes_of(None)
        steps = {activity.name for activity in catalogue.WORKFLOWS[name].activities}
        assert steps >= set(causes).union(*causes.values()), name
