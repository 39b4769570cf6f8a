from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast_status_api.index import Run
from holdfast_status_api.states import State
from holdfast_status_api.why import Facts, Kind, explain, next_timer

NOON = datetime(2031, 1, 1, 12, tzinfo=UTC)
LATER = "2031-01-02T12:00:00Z"


def run(state: State = State.RUNNING, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "instance_id": "run-1",
        "workflow": "task_chain",
        "state": state,
        "input": 1,
        "output": None,
        "custom_status": None,
        "failure": None,
        "accepted_at": NOON,
        "started_at": NOON,
        "updated_at": NOON,
        "finished_at": None,
        "start_at": None,
        "deadline": None,
        "rerun_of": None,
        "requested_by": None,
        "reason": None,
        "origin": "api",
        "wakes_at": None,
        "purged": False,
        "dispatched": True,
        "fresh": True,
    }
    return Run(**(values | fields))


def event(kind: str, number: int = -1, **fields: Any) -> dict[str, Any]:
    base = {"event_id": number, "type": kind, "name": None, "task_scheduled_id": None}
    return base | {"timestamp": "2031-01-01T12:00:00Z"} | fields


STARTED = event("EXECUTION_STARTED", name="task_chain")
STEP = event("TASK_SCHEDULED", 1, name="step1", app_id="activity-worker")
DONE = event("TASK_COMPLETED", task_scheduled_id=1)
TIMER = event("TIMER_CREATED", 2, fire_at=LATER)
WAIT = event("TIMER_CREATED", 3, fire_at=LATER, event="human_approval")


def facts(*history: dict[str, Any], **fields: Any) -> Facts:
    values: dict[str, Any] = {
        "history": history,
        "engine_status": "RUNNING",
        "orchestrator_connected": True,
        "orchestrator_app_id": "orchestrator",
        "worker_app_id": "activity-worker",
        "worker_connected": True,
    }
    return Facts(fields.pop("run", run()), **(values | fields))


def kinds(known: Facts) -> list[Kind]:
    return [cause.kind for cause in explain(known).waits_for]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([STARTED, STEP], [Kind.ACTIVITY]),
        ([STARTED, STEP, DONE], [Kind.ENGINE]),
        ([STARTED, STEP, DONE, TIMER], [Kind.TIMER]),
        ([STARTED, TIMER, event("TIMER_FIRED", timer_id=2)], [Kind.ENGINE]),
        ([STARTED, WAIT], [Kind.EVENT]),
        ([STARTED, WAIT, event("EVENT_RAISED", name="human_approval")], [Kind.ENGINE]),
        ([STARTED, WAIT, event("EVENT_RAISED", name="resume")], [Kind.EVENT]),
        (
            [STARTED, event("CHILD_WORKFLOW_INSTANCE_CREATED", 1, instance_id="run-1:0:0")],
            [Kind.CHILD],
        ),
        (
            [
                STARTED,
                event("CHILD_WORKFLOW_INSTANCE_CREATED", 1, instance_id="run-1:0:0"),
                event("CHILD_WORKFLOW_INSTANCE_COMPLETED", task_scheduled_id=1),
            ],
            [Kind.ENGINE],
        ),
        ([STARTED, STEP, event("TASK_FAILED", task_scheduled_id=1), TIMER], [Kind.TIMER]),
    ],
)
def test_a_run_waits_for_what_was_begun_and_is_not_done(
    history: list[dict[str, Any]], expected: list[Kind]
) -> None:
    assert kinds(facts(*history)) == expected


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        ([STEP], "the activity step1, since 2031-01-01T12:00:00Z, on activity-worker."),
        (
            [event("CHILD_WORKFLOW_INSTANCE_CREATED", 1, instance_id="run-1:0:0", name="chunk")],
            "its child run-1:0:0, since 2031-01-01T12:00:00Z.",
        ),
        (
            [WAIT],
            f"the event human_approval, since 2031-01-01T12:00:00Z, at most until {LATER}.",
        ),
    ],
)
def test_what_a_run_waits_for_is_told_with_the_time_since_when(
    history: list[dict[str, Any]], sentence: str
) -> None:
    answer = explain(facts(STARTED, *history))
    assert answer.sentence == f"It waits for {sentence}"
    assert [cause.since for cause in answer.waits_for] == [NOON]


def test_an_activity_whose_app_has_no_worker_is_told_as_that() -> None:
    answer = explain(facts(STARTED, STEP, worker_connected=False))
    assert answer.sentence == (
        "It waits for the activity step1, since 2031-01-01T12:00:00Z, on activity-worker,"
        " which has no worker connected now."
    )
    assert answer.waits_for[0].worker_connected is False


def test_a_turn_that_the_engine_cannot_save_is_put_down_to_the_missing_worker() -> None:
    (cause,) = explain(facts(STARTED, worker_connected=False)).waits_for
    assert (cause.kind, cause.app_id) == (Kind.ACTIVITY, "activity-worker")


def test_an_event_is_told_with_its_end_and_with_the_command_that_sends_it() -> None:
    order = run(workflow="request_escalation")
    answer = explain(facts(STARTED, WAIT, run=order))
    assert answer.waits_for[0].until == datetime.fromisoformat(LATER)
    assert answer.commands == [
        "holdfast wf raise-event run-1 human_approval --event-data '{\"approved\": true}'",
    ]
    on_its_way = facts(STARTED, WAIT, run=order, undelivered=["human_approval"])
    assert explain(on_its_way).commands == []


def test_the_command_for_an_event_of_a_run_that_is_in_no_catalogue_has_an_empty_document() -> None:
    answer = explain(facts(STARTED, WAIT, run=run(workflow="of-somebody-else")))
    assert answer.commands == ["holdfast wf raise-event run-1 human_approval --event-data '{}'"]


def test_a_suspended_run_is_freed_by_its_resumption() -> None:
    answer = explain(facts(STARTED, WAIT, run=run(State.SUSPENDED)))
    assert [cause.kind for cause in answer.waits_for] == [Kind.SUSPENSION, Kind.EVENT]
    assert answer.commands == ("holdfast wf resume run-1",)


def test_a_stalled_run_is_told_as_that() -> None:
    assert kinds(facts(STARTED, engine_status="STALLED")) == [Kind.STALLED]


def test_a_stalled_run_is_told_in_the_words_of_the_engine() -> None:
    told = event("EXECUTION_STALLED", 0, detail="payload size 5 exceeds 95%")
    answer = explain(facts(STARTED, told, engine_status="STALLED"))
    assert answer.sentence == "The engine has set it aside: payload size 5 exceeds 95%."
    assert answer.waits_for[0].detail == "payload size 5 exceeds 95%"


def test_without_the_engine_that_is_what_is_told() -> None:
    assert kinds(facts(history=None)) == [Kind.ENGINE]


@pytest.mark.parametrize(
    ("start_at", "sentence"),
    [
        (datetime.now(UTC) + timedelta(days=1), "It is to start at"),
        (None, "It is accepted and stored"),
    ],
)
def test_a_run_that_has_not_started_says_when_it_will(
    start_at: datetime | None, sentence: str
) -> None:
    waiting = run(State.PENDING, dispatched=False, start_at=start_at)
    answer = explain(facts(run=waiting, history=None))
    assert answer.waits_for[0].kind is Kind.START
    assert answer.sentence.startswith(sentence)


@pytest.mark.parametrize("state", [state for state in State if state.terminal])
def test_a_run_that_has_ended_waits_for_nothing(state: State) -> None:
    assert kinds(Facts(run(state))) == [Kind.NOTHING]


def test_the_next_timer_is_known_only_where_nothing_else_can_come_before() -> None:
    assert next_timer([STARTED, TIMER]) == datetime.fromisoformat(LATER)
    assert next_timer([STARTED, STEP, TIMER]) is None
    assert next_timer([STARTED, STEP, DONE]) is None
    assert next_timer([STARTED, TIMER, event("TIMER_FIRED", timer_id=2)]) is None
