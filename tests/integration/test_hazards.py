"""The engine's hazards made for real, each with the work-around that makes it harmless.

`docs/hazards.md` tells what they are; the numbers are the same there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx
import pytest
from dapr.ext.workflow import DaprWorkflowClient
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from holdfast_servicekit.runtime import sdk_logs
from tests.support import hazard_1
from tests.support.examples import APPROVAL, ORDER
from tests.support.ledger import steps
from tests.support.runs import start, state_of, wait_for_end, wait_for_state
from tests.support.slow_host import slow_host
from tests.support.stacks import without
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(stack: Stack) -> DaprWorkflowClient:
    """The engine itself, past our API."""
    port = stack.ports["orchestrator-sidecar-grpc"]
    return DaprWorkflowClient(host="127.0.0.1", port=str(port), logger_options=sdk_logs())


def test_1_a_run_survives_a_timer_an_event_and_a_kill_while_its_worker_is_away(
    stack: Stack, api: httpx.Client
) -> None:
    # Without the rule the run is stuck for good; test_disasters.py shows that, and its repair.
    run = hazard_1.provoke(stack, api)
    assert wait_for_end(api, run)["output"]["verdict"] == "approved"


def test_3_and_4_an_event_that_the_engine_gets_three_times_is_taken_once(
    stack: Stack, api: httpx.Client, db: Engine, engine: DaprWorkflowClient
) -> None:
    run = start(api, "request_escalation", ORDER)
    wait_for_state(api, run, "RUNNING")
    for _ in range(3):
        engine.raise_workflow_event(
            run, "human_approval", data={"event_id": f"{run}-e", "data": APPROVAL}
        )
    assert wait_for_end(api, run)["output"]["verdict"] == "approved"
    assert steps(db, run) == ["record_decision", "process_approval_activity"]


def test_5_terminating_past_the_api_leaves_no_effect_that_is_not_in_the_ledger(
    stack: Stack, api: httpx.Client, db: Engine, engine: DaprWorkflowClient
) -> None:
    run = start(api, "batch_processing", 300)
    eventually("the batch has begun", lambda: len(steps(db, run)) > 10, seconds=60)
    engine.terminate_workflow(run)
    wait_for_end(api, run)
    legs = "SELECT count(*) FROM work.batch_legs WHERE batch_id = :run AND distance_km IS NOT NULL"

    def balanced() -> bool:
        with db.connect() as connection:
            measured = connection.scalar(text(legs), {"run": run})
        return bool(measured == steps(db, run).count("process_work_item"))

    eventually("as many legs measured as effects in the ledger", balanced, seconds=30)


def test_6_a_finished_id_that_is_started_again_past_the_api_does_nothing_twice(
    stack: Stack, api: httpx.Client, db: Engine, engine: DaprWorkflowClient
) -> None:
    run = start(api, "task_chain", 1)
    wait_for_end(api, run)
    before = steps(db, run)
    engine.schedule_new_workflow("task_chain", input=1, instance_id=run)
    again = engine.wait_for_workflow_completion(run, timeout_in_seconds=60)
    assert again is not None
    assert again.serialized_output == "[2, 4, 16]"
    assert steps(db, run) == before
    assert outcomes(db, run) == ["committed"] * 3 + ["repeated"] * 3


def test_6_a_finished_id_with_another_input_is_a_divergence_and_changes_nothing(
    stack: Stack, api: httpx.Client, db: Engine, engine: DaprWorkflowClient
) -> None:
    run = start(api, "task_chain", 1)
    wait_for_end(api, run)
    before = steps(db, run)
    engine.schedule_new_workflow("task_chain", input=5, instance_id=run)
    engine.wait_for_workflow_completion(run, timeout_in_seconds=60)
    assert steps(db, run) == before
    with db.connect() as connection:
        count = "SELECT count(*) FROM work.divergences WHERE key = :key"
        assert connection.scalar(text(count), {"key": f"{run}|0|step1|0"}) == 1
    assert state_of(api, run)["output"] == [2, 4, 16]


def test_7_an_approval_accepted_before_the_deadline_wins_although_it_is_delivered_after_it(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    run = start(api, "request_escalation", {**ORDER, "approval_window_seconds": 4})
    wait_for_state(api, run, "RUNNING")
    with without(stack, "orchestrator", "orchestrator-sidecar"):
        accepted = api.post(f"/runs/{run}/events/human_approval", json=APPROVAL)
        assert accepted.status_code == 202
        late = lapse(db, 5)
        eventually("the approval window has passed", late, seconds=30)
    assert wait_for_end(api, run)["output"]["verdict"] == "approved"


def lapse(db: Engine, seconds: int) -> Callable[[], bool]:
    """A check that turns true when that time is over by the database's clock."""
    query = text("SELECT clock_timestamp()")

    def now() -> datetime:
        with db.connect() as connection:
            moment: datetime = connection.scalars(query).one()
        return moment

    end = now() + timedelta(seconds=seconds)
    return lambda: now() > end


def test_8_a_finished_child_that_is_reset_and_runs_again_does_nothing_twice(
    stack: Stack, api: httpx.Client, db: Engine, engine: DaprWorkflowClient
) -> None:
    run = start(api, "batch_processing", 70)
    output = wait_for_end(api, run)["output"]
    before = steps(db, run)
    child = f"{run}:0:1"
    first = engine.get_workflow_state(child)
    assert first is not None
    engine.schedule_new_workflow(
        "batch_chunk",
        input={
            "root": run,
            "epoch": 0,
            "batch_id": output["batch_id"],
            "start": 64,
            "stop": 70,
            "retry": {},
        },
        instance_id=child,
    )
    again = engine.wait_for_workflow_completion(child, timeout_in_seconds=60)
    assert again is not None
    assert again.serialized_output == first.serialized_output
    assert steps(db, run) == before


def test_9_a_run_goes_on_although_its_sidecar_deadlocks_when_the_orchestrator_is_killed(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    run = start(api, "batch_processing", 300)
    eventually("the batch is in the middle", lambda: len(steps(db, run)) > 50, seconds=60)
    assert stack.kill("orchestrator")
    assert wait_for_end(api, run, seconds=60)["output"]["count"] == 300
    stack.wait_until_ready()


@pytest.mark.parametrize(
    ("workflow", "payload", "instance"),
    [("task_chain", 1, "{run}"), ("batch_processing", 100, "{run}:0:0")],
    ids=["run", "child"],
)
def test_11_a_start_that_is_cut_off_in_its_commit_begins_all_the_same(
    stack: Stack, api: httpx.Client, db: Engine, workflow: str, payload: int, instance: str
) -> None:
    run = f"cut-off-{workflow}"
    instance = instance.format(run=run)
    with held_commit(db, instance):
        start(api, workflow, payload, instance_id=run)
        eventually("the start is in its commit", lambda: waiting_commits(db) == 1)
        assert stack.kill("orchestrator")
        # The reminder that begins the run fires now, finds nothing, and is gone.
        eventually(
            "the reminder fired", lambda: f"state found for actor '{instance}'" in log(stack)
        )
    stack.wait_until_ready()
    assert wait_for_end(api, run)["state"] == "COMPLETED"


def test_13_an_answer_that_comes_before_its_question_is_taken_all_the_same(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    run = "early-answer"
    with lost_turns(db, run) as keep_the_timers:
        start(api, "request_escalation", {**ORDER, "approval_window_seconds": 2}, instance_id=run)
        # The turn of the time-out dispatches its step, cannot be saved, and the step answers.
        eventually("the answer is there", lambda: rows(db, run) == (3, 1), seconds=60)
        # Now it comes again, with the answer in front of the timer.
        keep_the_timers()
        assert wait_for_end(api, run)["output"]["verdict"] == "timed_out"


def test_13_an_early_answer_to_the_last_step_is_in_the_history(
    stack: Stack, api: httpx.Client, db: Engine
) -> None:
    run = "early-end"
    with lost_turns(db, run, row=6) as keep_the_turn:
        start(api, "task_chain", 1, instance_id=run)
        # The turn of the second answer dispatches the third step and cannot be saved.
        eventually("both answers are there", lambda: rows(db, run) == (6, 2), seconds=60)
        keep_the_turn()
        assert wait_for_end(api, run)["output"] == [2, 4, 16]
    # It ended in that turn, which asked for the step as well.
    events = api.get(f"/runs/{run}/history").json()["events"]
    asked = [event["name"] for event in events if event["type"] == "TASK_SCHEDULED"]
    assert asked == ["step1", "step2", "step3"]
    assert [event["type"] for event in events].count("TASK_COMPLETED") == 3
    assert steps(db, run) == asked


@contextmanager
def lost_turns(db: Engine, run: str, *, row: int = 3) -> Iterator[Callable[[], None]]:
    """Let no turn that begins with this row of the history be saved, as if the disk was full.

    What is given saves such a turn, if it is more than that row.
    """
    name = f"%||{run}||history-00000"
    refusing = """CREATE OR REPLACE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {wanted} THEN RETURN NULL; END IF;
            RAISE EXCEPTION 'no space left on device';
        END $$"""
    # Its answer alone makes a turn of one row, which is the start of every turn.
    more = f"EXISTS (SELECT FROM dapr.state WHERE key LIKE '{name}{row + 1}')"
    with db.begin() as connection:
        connection.execute(text("GRANT USAGE ON SCHEMA public TO holdfast_dapr"))
        connection.execute(text(refusing.format(wanted="false")))
        connection.execute(
            text(f"""CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON dapr.state
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                WHEN (new.key LIKE '{name}{row}') EXECUTE FUNCTION public.lose()""")
        )

    def keep() -> None:
        with db.begin() as connection:
            connection.execute(text(refusing.format(wanted=more)))

    try:
        yield keep
    finally:
        with db.begin() as connection:
            connection.execute(text("DROP TRIGGER lose ON dapr.state"))
            connection.execute(text("DROP FUNCTION public.lose"))
            connection.execute(text("REVOKE USAGE ON SCHEMA public FROM holdfast_dapr"))


def rows(db: Engine, run: str) -> tuple[int, int]:
    """Count what the store has of a run's history and of its inbox."""
    query = """SELECT count(*) FILTER (WHERE key LIKE :history),
                      count(*) FILTER (WHERE key LIKE :inbox) FROM dapr.state"""
    names = {"history": f"%||{run}||history-%", "inbox": f"%||{run}||inbox-%"}
    with db.connect() as connection:
        history, inbox = connection.execute(text(query), names).one()
    return int(history), int(inbox)


@contextmanager
def held_commit(db: Engine, instance: str) -> Iterator[None]:
    """Let the commit that creates an instance wait, as on a slow disk: it cannot be cancelled."""
    with db.begin() as connection:
        connection.execute(text("GRANT USAGE ON SCHEMA public TO holdfast_dapr"))
        connection.execute(text(_HOLD))
        connection.execute(
            text(f"""CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON dapr.state
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                WHEN (new.key LIKE '%||{instance}||metadata') EXECUTE FUNCTION public.hold()""")
        )
    try:
        with db.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(11)"))
            yield
    finally:
        with db.begin() as connection:
            connection.execute(text("DROP TRIGGER hold ON dapr.state"))
            connection.execute(text("DROP FUNCTION public.hold"))
            connection.execute(text("REVOKE USAGE ON SCHEMA public FROM holdfast_dapr"))


_HOLD = """
    CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        LOOP
            BEGIN
                PERFORM pg_advisory_xact_lock(11);
                RETURN NULL;
            EXCEPTION WHEN query_canceled THEN NULL;
            END;
        END LOOP;
    END $$
"""


def waiting_commits(db: Engine) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with db.connect() as connection:
        return int(connection.scalar(text(query)) or 0)


def log(stack: Stack) -> str:
    return (stack.folder.path / "logs" / "orchestrator-sidecar.log").read_text()


def outcomes(db: Engine, run: str) -> list[str]:
    query = """SELECT o.outcome FROM work.attempts a JOIN work.outcomes o ON o.attempt_id = a.id
               WHERE a.instance = :run ORDER BY a.id"""
    with db.connect() as connection:
        return list(connection.scalars(text(query), {"run": run}))


@pytest.mark.parametrize("joining", ["orchestrator", "activity-worker"])
def test_15_runs_go_on_after_placement_was_lost_before_all_knew_of_an_app(
    stack: Stack, api: httpx.Client, joining: str
) -> None:
    with slow_host(f"127.0.0.1:{stack.ports['placement']}", "default") as host:
        before = host.rounds
        stack.stop(joining)
        eventually("all know that it left", lambda: host.rounds > before, seconds=30)
        host.keep_the_next_update()
        stack.start(joining)
        assert host.kept.wait(30), "no round began"
        assert stack.kill("placement")
    stack.wait_until_ready()
    run = start(api, "task_chain", 1)
    assert wait_for_end(api, run)["output"] == [2, 4, 16]
