"""The replay check over histories that the SDK made, with the code as it is and with it changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dapr.ext.workflow._durabletask.internal.helpers as make
import dapr.ext.workflow._durabletask.internal.protos as pb
import pytest
from typer.testing import CliRunner

from holdfast_contracts.core import CANCEL, RESUME, SUSPEND, Activity
from holdfast_contracts.request_escalation import HUMAN_APPROVAL, RequestEscalationInput
from holdfast_contracts.task_chain import (
    STEP1,
    STEP2,
    STEP3,
    AddOne,
    Double,
    Square,
    StepResult,
    TaskChainInput,
    TaskChainOutput,
)
from holdfast_orchestrator.__main__ import cli
from holdfast_orchestrator.durable import Run, Steps, call, call_all, sleep, wait_for_event
from holdfast_orchestrator.replay.check import Checker
from holdfast_orchestrator.replay.findings import Consequence, Kind, Verdict
from holdfast_orchestrator.replay.recording import Recording, dump
from holdfast_orchestrator.replay.report import Report
from holdfast_orchestrator.replay.steps import difference
from holdfast_orchestrator.workflows import IMPLEMENTATIONS, Function, Implementation
from tests.unit.orchestrator.drive import WORKER_APP, Arrival, Drive
from tests.unit.orchestrator.worlds import BatchWorld, ChainWorld, JobWorld, OrderWorld, TripWorld

ORDER = {"amount": 5000}
APPROVAL = {"approved": True, "by": "ada"}
TRIP = {"traveller": "a", "flight": "f", "hotel": "h", "car": "c"}
JOB = {"job_id": "http://h/j", "poll_interval_seconds": 1}

RUNS: dict[str, Callable[[], Drive]] = {
    "chain": lambda: Drive("task_chain", 1, ChainWorld()),
    "failing chain": lambda: Drive("task_chain", -1, ChainWorld()),
    "small batch": lambda: Drive("batch_processing", 5, BatchWorld(5)),
    "batch with children": lambda: Drive("batch_processing", 130, BatchWorld(130)),
    "monitor that went on as new": lambda: Drive("job_status_monitor", JOB, JobWorld(53)),
    "order that waits": lambda: Drive(
        "request_escalation", ORDER, OrderWorld(), arrivals=[Arrival(HUMAN_APPROVAL, APPROVAL, "e")]
    ),
    "order that times out": lambda: Drive("request_escalation", ORDER, OrderWorld()),
    "trip": lambda: Drive("book_trip", TRIP, TripWorld()),
    "trip that is undone": lambda: Drive("book_trip", TRIP, TripWorld("car")),
    "trip that is cancelled": lambda: Drive(
        "book_trip", TRIP, TripWorld(), arrivals=[Arrival(CANCEL, {"reason": ""}, "c", after=1)]
    ),
    "chain at the gate": lambda: Drive(
        "task_chain",
        1,
        ChainWorld(),
        arrivals=[
            Arrival(SUSPEND, {"reason": ""}, "s", after=1),
            Arrival(RESUME, {"reason": ""}, "r", after=9),
        ],
    ),
}


def moments(drive: Drive) -> Iterator[Recording]:
    """Every state of a run, and of its children, that the engine saved."""
    for turn in drive.turns:
        if turn.old:
            yield Recording.of(drive.instance, WORKER_APP, turn.old)
    for child in drive.children:
        yield from moments(child)


def recorded(drive: Drive) -> list[Recording]:
    drive.run(limit=500)
    return list(moments(drive))


def verdict_on(recording: Recording, checker: Checker | None = None) -> Verdict:
    verdict = (checker or Checker()).check(recording)
    assert verdict is not None
    return verdict


def with_function(name: str, function: Function) -> list[Implementation]:
    """The present workflows, with another function for one of them."""
    return [
        each._replace(function=function) if each.workflow.name == name else each
        for each in IMPLEMENTATIONS
    ]


def kinds(verdict: Verdict) -> list[str]:
    return [finding.kind.value for finding in verdict.findings]


def chain_at(step: int) -> Recording:
    """A chain that waits for its first, second or third step."""
    return recorded(RUNS["chain"]())[step - 1]


@pytest.mark.parametrize("name", RUNS)
def test_the_code_that_made_a_history_fits_it_at_every_moment(name: str) -> None:
    checker = Checker()
    recordings = recorded(RUNS[name]())
    assert recordings
    found = [verdict_on(each, checker) for each in recordings]
    assert [str(v.worst) for v in found if not v.fits] == []


# What people change in a chain. Each takes the place of the whole workflow.

RENAMED = Activity("double", Double, StepResult)


def first_step(
    run: Run, start: TaskChainInput, step: Activity[AddOne, StepResult] = STEP1
) -> Steps[StepResult]:
    return (
        yield from call(run, step, AddOne(key=run.key(step), instance=run.id, value=start.root))
    )


def other_steps(
    run: Run, first: StepResult, second: Activity[Double, StepResult] = STEP2
) -> Steps[TaskChainOutput]:
    double = Double(key=run.key(second), instance=run.id, value=first.value)
    doubled = yield from call(run, second, double)
    square = Square(key=run.key(STEP3), instance=run.id, closes_run=True, value=doubled.value)
    squared = yield from call(run, STEP3, square)
    return TaskChainOutput((first.value, doubled.value, squared.value))


def renamed(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    first = yield from first_step(run, start)
    return (yield from other_steps(run, first, RENAMED))


def reordered(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    return (yield from other_steps(run, StepResult(value=start.root)))


def another_input(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    first = yield from first_step(run, TaskChainInput(start.root + 1))
    return (yield from other_steps(run, first))


def without_the_last(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    first = yield from first_step(run, start)
    run.closed = True
    return TaskChainOutput((first.value, 0, 0))


def one_more_before(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    yield from call(run, STEP3, Square(key=run.key(STEP3), instance=run.id, value=0))
    first = yield from first_step(run, start)
    return (yield from other_steps(run, first))


def one_more_beside(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    both = [AddOne(key=run.key(STEP1, i), instance=run.id, value=start.root) for i in (0, 1)]
    first, _ = yield from call_all(run, STEP1, both)
    assert isinstance(first, StepResult)
    return (yield from other_steps(run, first))


def sleeps_first(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    yield from sleep(run, 1)
    first = yield from first_step(run, start)
    return (yield from other_steps(run, first))


class NewResult(StepResult):
    unit: str


def needs_more_of_a_result(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    first = yield from first_step(run, start, replace(STEP1, output=NewResult))
    return (yield from other_steps(run, first))


@pytest.mark.parametrize(
    ("change", "at", "kind", "says"),
    [
        (renamed, 2, Kind.NAME, "the history has activity step2, the code activity double"),
        (reordered, 1, Kind.NAME, "the history has activity step1, the code activity step2"),
        (another_input, 1, Kind.INPUT, "its input is another: value was 1 and is 2"),
        (without_the_last, 2, Kind.MISSING, "has activity step2, the code the end of the run"),
        (one_more_before, 1, Kind.NAME, "the history has activity step1, the code activity step3"),
        (one_more_beside, 1, Kind.EXTRA, "the code would go on with activity step1, where the run"),
        (sleeps_first, 1, Kind.KIND, "the history has activity step1, the code a timer"),
        (needs_more_of_a_result, 2, Kind.RAISES, "the code raises ValidationError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_kind_of_change_is_named(change: Function, at: int, kind: Kind, says: str) -> None:
    verdict = verdict_on(chain_at(at), Checker(with_function("task_chain", change)))
    assert verdict.worst.kind is kind
    assert says in verdict.worst.text
    report = Report([verdict]).text()
    assert verdict.worst.kind.way_out in report
    assert verdict.worst.kind.consequence.value in report


def test_a_change_behind_the_place_where_a_run_is_does_not_concern_it() -> None:
    assert verdict_on(chain_at(1), Checker(with_function("task_chain", renamed))).fits


def test_a_run_that_is_to_end_where_it_waits_is_named() -> None:
    def ends_after_one(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
        run.closed = True
        both = [AddOne(key=run.key(STEP1, i), instance=run.id, value=start.root) for i in (0, 1)]
        tasks: list[Any] = [
            run.ctx.call_activity(
                STEP1.name,
                input=one.model_dump(mode="json"),
                app_id=WORKER_APP,
            )
            for one in both
        ]
        yield tasks[1 - waits_for]
        return TaskChainOutput((0, 0, 0))

    changed = with_function("task_chain", one_more_beside)
    drive = Drive("task_chain", 1, ChainWorld(), seed=3, implementations=changed)
    one_is_done = recorded(drive)[1]
    (open_activity,) = one_is_done.history().open_activities()
    waits_for = open_activity.eventId - 1
    verdict = verdict_on(one_is_done, Checker(with_function("task_chain", ends_after_one)))
    assert "ends" in kinds(verdict)


@pytest.mark.parametrize("name", RUNS)
def test_a_first_turn_that_could_not_be_dispatched_is_repeated_and_fits_any_code(
    name: str,
) -> None:
    """The engine saves it without its steps while the worker is away."""
    began = recorded(RUNS[name]())[0]
    events = [event for event in began.history().events if not event.HasField("taskScheduled")]
    assert verdict_on(Recording.of(began.instance_id, WORKER_APP, events)).fits


def test_a_step_that_ran_beside_another_and_is_gone_is_named() -> None:
    changed = with_function("task_chain", one_more_beside)
    both = recorded(Drive("task_chain", 1, ChainWorld(), implementations=changed))[0]
    verdict = verdict_on(both)
    assert kinds(verdict) == ["missing"]
    assert verdict.worst.text == "the history has activity step1, the code nothing"


def test_another_app_is_named() -> None:
    verdict = verdict_on(chain_at(1), Checker(worker_app_id="other-worker"))
    assert kinds(verdict) == ["app"]
    assert "went to activity-worker and goes to other-worker" in verdict.worst.text


def test_another_id_of_a_child_is_named() -> None:
    parent = next(
        each for each in recorded(RUNS["batch with children"]()) if each.history().open_children()
    )
    events = [pb.HistoryEvent.FromString(e.SerializeToString()) for e in parent.history().events]
    for event in events:
        if event.HasField("childWorkflowInstanceCreated"):
            event.childWorkflowInstanceCreated.instanceId += "x"
    verdict = verdict_on(Recording.of(parent.instance_id, WORKER_APP, events))
    assert set(kinds(verdict)) == {"child id"}
    assert "was run-1:0:0x and is run-1:0:0" in verdict.worst.text


def test_waiting_for_another_event_is_named() -> None:
    def waits_for_cancel(run: Run, request: RequestEscalationInput) -> Steps[Any]:
        return (yield from wait_for_event(run, CANCEL, request.approval_window_seconds))

    waiting = recorded(RUNS["order that waits"]())[0]
    verdict = verdict_on(waiting, Checker(with_function("request_escalation", waits_for_cancel)))
    assert kinds(verdict) == ["event"]
    assert "has wait for human_approval, the code wait for cancel" in verdict.worst.text
    assert verdict.worst.kind.consequence is Consequence.DIFFER


def test_an_input_that_the_new_contract_refuses_is_named() -> None:
    def strict(run: Run, request: RequestEscalationInput) -> Steps[Any]:
        yield from ()

    verdict = verdict_on(chain_at(1), Checker(with_function("task_chain", strict)))
    assert kinds(verdict) == ["raises"]
    assert "ValidationError" in verdict.worst.text


def test_a_version_that_is_gone_stalls_the_run() -> None:
    newer = [
        each._replace(version="2", workflow=replace(each.workflow, version="2"))
        if each.workflow.name == "task_chain"
        else each
        for each in IMPLEMENTATIONS
    ]
    verdict = verdict_on(chain_at(1), Checker(newer))
    assert (kinds(verdict), verdict.worst.kind.consequence) == (["version"], Consequence.STALL)
    assert "began in version 1 of task_chain, which is not registered" in verdict.worst.text


def test_a_workflow_that_is_gone_is_named() -> None:
    left = [each for each in IMPLEMENTATIONS if each.workflow.name != "task_chain"]
    verdict = verdict_on(chain_at(1), Checker(left))
    assert kinds(verdict) == ["unregistered"]


def patched(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    first = yield from first_step(run, start)
    if run.patched("square-once-more"):
        yield from call(run, STEP3, Square(key=run.key(STEP3, 1), instance=run.id, value=2))
    return (yield from other_steps(run, first))


def test_old_runs_fit_patched_code_on_the_old_path_and_new_runs_on_the_new_one() -> None:
    changed = with_function("task_chain", patched)
    drive = Drive("task_chain", 1, ChainWorld(), implementations=changed)
    new = recorded(drive)
    assert drive.steps() == ["step1", "step3", "step2", "step3"]
    for each in [*new, *recorded(RUNS["chain"]())]:
        assert verdict_on(each, Checker(changed)).fits


def test_a_patch_that_is_gone_stalls_the_runs_that_took_it_before_it_could_fail_them() -> None:
    drive = Drive(
        "task_chain", 1, ChainWorld(), implementations=with_function("task_chain", patched)
    )
    found = [verdict_on(each) for each in recorded(drive)]
    assert [v.fits for v in found] == [True, False, False, False]
    assert kinds(found[1]) == ["patch", "name"]
    assert found[1].worst.kind is Kind.PATCH


def test_a_patch_that_is_gone_but_changed_no_step_stalls_the_run() -> None:
    def asks_only(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
        first = yield from first_step(run, start)
        run.patched("nothing")
        return (yield from other_steps(run, first))

    changed = with_function("task_chain", asks_only)
    found = recorded(Drive("task_chain", 1, ChainWorld(), implementations=changed))[1]
    verdict = verdict_on(found, Checker(with_function("task_chain", unchanged)))
    assert (kinds(verdict), verdict.worst.kind.consequence) == (["patch"], Consequence.STALL)
    assert "took the patches nothing; the code asks for none" in verdict.worst.text


def unchanged(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
    first = yield from first_step(run, start)
    return (yield from other_steps(run, first))


def test_a_patch_before_the_first_step_is_refused_where_workflows_are_tested() -> None:
    def too_early(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
        run.patched("too-early")
        return (yield from unchanged(run, start))

    drive = Drive(
        "task_chain", 1, ChainWorld(), implementations=with_function("task_chain", too_early)
    )
    with pytest.raises(AssertionError, match="asks for a patch before its first step"):
        drive.run()


def test_an_activity_under_way_that_would_refuse_its_input_is_named() -> None:
    events = list(chain_at(1).history().events)
    command = json.loads(events[-1].taskScheduled.input.value)
    del command["value"]
    changed = pb.HistoryEvent.FromString(events[-1].SerializeToString())
    changed.taskScheduled.input.value = json.dumps(command)
    verdict = verdict_on(Recording.of("run-1", WORKER_APP, [*events[:-1], changed]))
    assert kinds(verdict) == ["input", "input refused"]
    assert "activity step1 would refuse what was sent to it: value: Field required" in str(
        verdict.worst
    )


def test_an_activity_under_way_that_the_contract_has_no_more_is_named() -> None:
    def of_old(run: Run, start: TaskChainInput) -> Steps[TaskChainOutput]:
        gone = Activity("of_old", Double, StepResult)
        return (yield from other_steps(run, StepResult(value=start.root), gone))

    changed = with_function("task_chain", of_old)
    turn = [
        make.new_workflow_started_event(),
        make.new_execution_started_event("task_chain", "run-1", "1"),
        make.new_task_scheduled_event(
            1,
            "of_old",
            Double(key="run-1|0|of_old|0", instance="run-1", value=1).model_dump_json(),
        ),
    ]
    turn[-1].router.targetAppID = WORKER_APP
    verdict = verdict_on(Recording.of("run-1", WORKER_APP, turn), Checker(changed))
    assert kinds(verdict) == ["activity gone"]


def test_a_run_that_the_engine_suspends_is_checked_with_what_came_in_the_meantime() -> None:
    events = list(chain_at(2).history().events)
    # The result of the first step is held back by the suspension.
    result = next(i for i, e in enumerate(events) if e.HasField("taskCompleted"))
    held = [*events[: result - 1], make.new_suspend_event(), *events[result - 1 :]]
    recording = Recording.of("run-1", WORKER_APP, held)
    assert verdict_on(recording).fits
    broken = verdict_on(recording, Checker(with_function("task_chain", renamed)))
    assert broken.worst.kind is Kind.NAME


def test_a_stalled_run_is_told_apart_from_one_that_breaks() -> None:
    stalled = pb.HistoryEvent(
        eventId=-1,
        executionStalled=pb.ExecutionStalledEvent(description="Version not available: 7"),
    )
    recording = Recording.of("run-1", WORKER_APP, [*chain_at(1).history().events, stalled])
    verdict = verdict_on(recording)
    assert verdict.fits
    assert "run-1 is stalled now: Version not available: 7" in Report([verdict]).text()


def test_a_run_that_has_ended_or_not_begun_is_not_in_flight() -> None:
    events = list(chain_at(3).history().events)
    done = pb.HistoryEvent(eventId=4, executionCompleted=pb.ExecutionCompletedEvent())
    assert Checker().check(Recording.of("run-1", WORKER_APP, [*events, done])) is None
    assert Checker().check(Recording.of("run-1", WORKER_APP, [])) is None


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1}, {"a": 2}, "a was 1 and is 2"),
        ({"a": 1}, {"a": 1, "b": 2}, "b is new"),
        ({"a": 1, "b": 2}, {"a": 1}, "b is gone"),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, "a.b was [1] and is [2]"),
        (1, True, "it was 1 and is true"),
        (None, {}, "it was null and is {}"),
        ("x" * 100, "y", 'it was "' + "x" * 76 + '… and is "y"'),
    ],
)
def test_the_place_where_inputs_differ_is_said(then: Any, now: Any, said: str) -> None:
    assert difference(then, now) == said


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["replay", *arguments])
    return result.exit_code, result.output


def saved(tmp_path: Path, recordings: Sequence[Recording]) -> str:
    file = tmp_path / "histories.jsonl"
    file.write_text(dump(recordings))
    return str(file)


def test_the_command_checks_saved_histories_and_exits_0_when_all_fit(tmp_path: Path) -> None:
    code, output = invoke("--from", saved(tmp_path, [chain_at(1)]))
    assert (code, output) == (0, "1 run in flight: the code of this tree fits.\n")
    assert invoke("--from", saved(tmp_path, [])) == (0, "No runs are in flight.\n")


def test_the_command_exits_1_and_says_which_run_would_break_and_the_way_out(tmp_path: Path) -> None:
    file = saved(tmp_path, [chain_at(1), chain_at(2)])
    code, output = invoke("--from", file, "--worker-app-id", "elsewhere")
    assert code == 1
    assert "2 runs in flight: the code of this tree does not fit 2 of them." in output
    assert "went to activity-worker and goes to elsewhere" in output
    assert "The way out:\n- app: check the worker's app-id" in output

    code, output = invoke("--from", file, "--worker-app-id", "elsewhere", "-o", "json")
    document = json.loads(output)
    assert (code, document["checked"], document["fit"]) == (1, 2, 0)
    (finding,) = document["broken"][0]["findings"]
    assert (finding["kind"], finding["step"]) == ("app", 1)


def test_the_command_exits_2_for_a_file_that_holds_no_histories(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"a": 1}\n')
    assert invoke("--from", str(file)) == (2, "replay: line 1 is no recorded history\n")
    file.write_text(Recording(instance_id="i", worker_app_id="w", events=["!!"]).model_dump_json())
    code, output = invoke("--from", str(file))
    assert code == 2
    assert "i: the history cannot be read" in output


def test_where_nothing_answers_a_first_deployment_may_go_on_and_others_may_not() -> None:
    code, output = invoke("--api", "http://127.0.0.1:1")
    assert code == 2
    assert "Cannot reach http://127.0.0.1:1" in output
    code, output = invoke("--api", "http://127.0.0.1:1", "--absent-ok")
    assert code == 0
    assert "nothing to check" in output
