from __future__ import annotations

import pytest
from pydantic import ValidationError

from holdfast_contracts import catalogue
from holdfast_contracts.core import App, Command, EffectKey


def test_a_name_is_never_both_a_workflow_and_an_activity() -> None:
    assert not set(catalogue.WORKFLOWS) & set(catalogue.ACTIVITIES)


def test_every_effect_of_the_worker_takes_a_command_with_a_key() -> None:
    for activity in catalogue.activities_of(App.ACTIVITY_WORKER).values():
        assert issubclass(activity.input, Command), activity.name


def test_commands_of_different_activities_are_different_types() -> None:
    inputs = [activity.input for activity in catalogue.ACTIVITIES.values()]
    assert len(inputs) == len(set(inputs))


def test_effect_key_reads_back_what_it_wrote() -> None:
    key = EffectKey("run-1", 3, "step1", 42)
    assert str(key) == "run-1|3|step1|42"
    assert EffectKey.parse(str(key)) == key


@pytest.mark.parametrize(
    ("workflow", "value"),
    [
        ("task_chain", True),
        ("task_chain", 1.5),
        ("task_chain", "1"),
        ("task_chain", None),
        ("task_chain", 10**12),
        ("batch_processing", 0),
        ("batch_processing", True),
        ("batch_processing", {"items": 1, "batch_id": "b"}),
        ("batch_processing", {}),
        ("batch_processing", {"batch_id": "a b"}),
        ("job_status_monitor", "ftp://host/job"),
        ("job_status_monitor", "kubernetes:no-name"),
        ("job_status_monitor", "http://user@host/x"),
        ("job_status_monitor", {"job_id": "http://h/x", "poll_interval_seconds": 0}),
        ("job_status_monitor", {"job_id": "http://h/x", "epoch": 3}),
        ("request_escalation", {}),
        ("request_escalation", {"amount": "10"}),
        ("request_escalation", {"amount": -1}),
        ("request_escalation", {"amount": float("nan")}),
        ("request_escalation", "no json"),
        ("request_escalation", "[1]"),
        ("book_trip", {"traveller": "a", "flight": "f", "hotel": "h"}),
        ("book_trip", {"traveller": "", "flight": "f", "hotel": "h", "car": "c"}),
    ],
)
def test_what_is_no_input_of_the_workflow_is_refused(workflow: str, value: object) -> None:
    with pytest.raises(ValidationError):
        catalogue.WORKFLOWS[workflow].input.model_validate(value)


@pytest.mark.parametrize(
    ("workflow", "value"),
    [
        ("task_chain", -5),
        ("batch_processing", 10),
        ("batch_processing", {"batch_id": "b-1"}),
        ("job_status_monitor", "kubernetes:default/job-1"),
        ("job_status_monitor", "https://jobs.example:8443/a/b?c=d"),
        ("request_escalation", '{"amount": 5}'),
        ("request_escalation", {"amount": 5, "item": "chairs"}),
        ("book_trip", {"traveller": "a", "flight": "f", "hotel": "h", "car": "c"}),
    ],
)
def test_what_people_write_is_accepted(workflow: str, value: object) -> None:
    catalogue.WORKFLOWS[workflow].input.model_validate(value)


def test_every_public_input_has_a_json_schema() -> None:
    for workflow in catalogue.PUBLIC_WORKFLOWS.values():
        schema = workflow.input.model_json_schema()
        assert {"type", "anyOf", "$ref"} & set(schema), workflow.name
