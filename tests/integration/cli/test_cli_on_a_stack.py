"""The command against the real services, engine and database."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from holdfast_cli.main import app
from holdfast_local.stack import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ORDER = '{"amount": 2500, "item": "a very good chair"}'


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


Cli = Callable[..., Ended]


@pytest.fixture
def cli(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command in the stack's clone, with nothing but the stack's name."""
    monkeypatch.chdir(stack.folder.path)
    for name in ("HOLDFAST_API", "HOLDFAST_TOKEN", "HOLDFAST_CONTEXT"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, role: str = "admin", stdin: str = "") -> Ended:
        done = CliRunner().invoke(
            app,
            ["--stack", stack.name, "--role", role, *arguments],
            stdin,
            env={"XDG_CONFIG_HOME": str(tmp_path)},
        )
        return Ended(done.exit_code, done.stdout, done.stderr)

    return run


def new_id() -> str:
    return f"cli-{uuid.uuid4().hex[:12]}"


def waiting_order(cli: Cli) -> str:
    """Start an order that waits for a decision; return its ID once it runs."""
    order = new_id()
    start = ("wf", "run", "request_escalation", "--instance-id", order, "--input", ORDER)
    assert cli(*start, role="operator").code == 0
    eventually("the order to run", lambda: state(cli, order) == "RUNNING", seconds=60)
    return order


def state(cli: Cli, run: str) -> str:
    return str(cli("wf", "get", run, "-o", "json").document["state"])


def test_run_waits_for_its_end_and_exits_by_its_state(cli: Cli) -> None:
    good = cli("wf", "run", "task_chain", "--input", "1", "--wait", "-o", "json")
    bad = cli("wf", "run", "task_chain", "--input", "-1", "--wait", "-o", "json")

    assert good.document["output"] == [2, 4, 16]
    assert bad.code == 1
    assert json.loads(bad.out)["state"] == "FAILED"


def test_repeat_with_a_key_starts_one_run(cli: Cli) -> None:
    start = ("wf", "run", "task_chain", "--input", "2", "--idempotency-key", new_id())

    first, second = (cli(*start, "-o", "json").document for _ in range(2))

    assert first["instance_id"] == second["instance_id"]


def test_refusals_of_the_real_api_have_their_exit_statuses(cli: Cli) -> None:
    run = new_id()
    taken = ("wf", "run", "task_chain", "--input", "1", "--instance-id", run)
    assert cli(*taken).code == 0

    invalid = cli("wf", "run", "task_chain", "--input", '"one"')

    assert cli(*taken).code == 5
    assert invalid.code == 7
    assert "pointer" in invalid.err
    assert cli("wf", "run", "no_such_workflow").code == 4
    assert cli("wf", "get", new_id()).code == 4
    assert cli("wf", "run", "task_chain", "--input", "1", role="viewer").code == 6


def test_order_is_decided_with_the_flags_of_daprs_tools(cli: Cli, stack: Stack) -> None:
    order = waiting_order(cli)
    app_id = stack.app_ids["orchestrator"]
    event = ("--instance-id", order, "--event-name", "human_approval", "--app-id", app_id)

    own = cli("wf", "raise-event", *event, "--event-data", '{"approved": true}', role="operator")
    sent = cli("wf", "raise-event", *event, "--event-data", '{"approved": true}', role="approver")

    assert own.code == 6
    assert sent.code == 0
    eventually("the order to end", lambda: state(cli, order) == "COMPLETED", seconds=60)
    (receipt,) = cli("wf", "events", order, "-o", "json").document["events"]
    assert receipt["state"] == "consumed"
    assert cli("wf", "get", "--instance-id", order, "--app-id", app_id).code == 0
    assert cli("wf", "get", order, "--app-id", "elsewhere").code == 2


def test_watch_tells_the_steps_and_exits_by_the_state(cli: Cli) -> None:
    run = new_id()
    cli("wf", "run", "task_chain", "--input", "3", "--instance-id", run)

    watched = cli("wf", "watch", run)

    assert watched.code == 0, watched.err
    assert watched.out.splitlines()[-1].endswith("run COMPLETED: [4, 8, 64]")
    assert cli("wf", "watch", run).code == 0


def test_batch_is_loaded_and_measured(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "legs.csv"
    file.write_text("origin,destination\nJFK,LHR\nLHR,CDG\n")
    wrong = "origin,destination\nJFK,LHR\nJFK,XXX\n"

    batch = cli("batch", "load", str(file), "-o", "json").document
    refused = cli("batch", "load", "-", stdin=wrong)

    payload = json.dumps({"batch_id": batch["batch_id"]})
    run = cli("wf", "run", "batch_processing", "--input", payload, "--wait", "-o", "json")
    assert run.document["output"]["count"] == 2
    assert refused.code == 7
    assert "line 3" in refused.err


def test_catalogue_and_caller_are_those_of_the_server(cli: Cli) -> None:
    flows = cli("wf", "catalogue", "-o", "json").document["workflows"]

    assert "book_trip" in {flow["name"] for flow in flows}
    assert cli("whoami", "-o", "json", role="viewer").document["role"] == "viewer"


def test_audit_names_who_started_a_run(cli: Cli) -> None:
    run = new_id()
    cli("wf", "run", "task_chain", "--input", "1", "--instance-id", run, role="operator")

    entries = cli("audit", "-o", "json").document["entries"]

    assert [entry["subject"] for entry in entries if entry["target"] == run] == ["operator"]
    assert cli("audit", role="operator").code == 6


def test_run_is_held_explained_and_let_go(cli: Cli) -> None:
    order = waiting_order(cli)

    assert "human_approval" in cli("wf", "why", order).out
    assert cli("wf", "suspend", order, "--reason", "stock-taking").code == 0
    eventually("the order to be held", lambda: state(cli, order) == "SUSPENDED", seconds=60)
    assert f"holdfast wf resume {order}" in cli("wf", "why", order).out
    assert cli("wf", "resume", order).code == 0
    eventually("the order to go on", lambda: state(cli, order) == "RUNNING", seconds=60)
    assert cli("wf", "cancel", order).code == 5


def test_run_is_terminated_run_again_and_purged(cli: Cli) -> None:
    order, again = waiting_order(cli), new_id()

    assert cli("wf", "purge", order).code == 5
    assert cli("wf", "terminate", order).code == 0
    assert cli("wf", "watch", order).code == 1
    assert state(cli, order) == "TERMINATED"
    assert cli("wf", "rerun", order, "--new-id", again).code == 0
    rerun = cli("wf", "get", again, "-o", "json").document
    assert (rerun["rerun_of"], rerun["input"]) == (order, json.loads(ORDER))
    assert cli("wf", "purge", order).code == 0
    gone = cli("wf", "get", order)
    assert (gone.code, gone.out) == (4, "")


def test_history_and_timeline_of_a_chain_name_its_steps(cli: Cli) -> None:
    run = new_id()
    cli("wf", "run", "task_chain", "--input", "1", "--instance-id", run, "--wait")

    history = cli("wf", "history", run).out
    timeline = cli("wf", "timeline", run).out

    for step in ("step1", "step2", "step3"):
        assert step in history
        assert step in timeline
    assert "committed" in timeline


def test_list_pages_through_what_was_started(cli: Cli) -> None:
    prefix = new_id()
    runs = [f"{prefix}-{number}" for number in range(3)]
    for run in runs:
        cli("wf", "run", "task_chain", "--input", "1", "--instance-id", run)

    first = cli("wf", "list", "-q", prefix, "--limit", "2", "-o", "json").document
    second = cli("wf", "list", "-q", prefix, "--cursor", first["next"], "-o", "json").document

    seen = [run["instance_id"] for page in (first, second) for run in page["runs"]]
    assert seen == runs[::-1]
    assert second["next"] is None
    assert cli("wf", "list", "--cursor", "nonsense").code == 7


def test_many_runs_are_counted_first_and_terminated_with_the_token(cli: Cli) -> None:
    prefix = new_id()
    orders = [f"{prefix}-{number}" for number in range(2)]
    for order in orders:
        start = ("wf", "run", "request_escalation", "--instance-id", order, "--input", ORDER)
        assert cli(*start).code == 0
    these = ("wf", "terminate", "--all", "-q", prefix)

    count = cli(*these, "-o", "json").document
    assert count["count"] == 2
    assert cli(*these, "--yes", "a-made-up-token").code in {5, 7}
    assert {state(cli, order) for order in orders} <= {"PENDING", "RUNNING"}
    done = cli(*these, "--yes", count["token"])

    assert (done.code, done.out) == (0, "terminate: accepted for 2 of 2 runs\n")
    for order in orders:
        assert cli("wf", "watch", order).code == 1
        assert state(cli, order) == "TERMINATED"


def test_start_can_be_put_off(cli: Cli) -> None:
    run = new_id()
    start = ("wf", "run", "task_chain", "--input", "1", "--instance-id", run, "--start-at", "1h")
    assert cli(*start).code == 0

    assert state(cli, run) == "PENDING"
    assert cli("wf", "why", run, "-o", "json").document["waits_for"][0]["kind"] == "start"
    assert cli("wf", "terminate", run).code == 0
    assert cli("wf", "watch", run).code == 1


def test_trip_that_has_not_started_is_cancelled(cli: Cli) -> None:
    trip = new_id()
    order = '{"traveller": "Ada", "flight": "f", "hotel": "h", "car": "c"}'
    start = ("wf", "run", "book_trip", "--input", order, "--instance-id", trip, "--start-at", "1h")
    assert cli(*start).code == 0

    assert cli("wf", "cancel", trip, "--reason", "changed plans").code == 0
    assert cli("wf", "watch", trip).code == 1
    assert state(cli, trip) == "CANCELLED"


def test_webhook_is_added_listed_and_removed(cli: Cli) -> None:
    url = f"http://127.0.0.1:9/{new_id()}"

    added = cli("webhook", "add", url, "--type", "failed", "-o", "json").document

    assert added["secret"]
    assert url in cli("webhook", "list").out
    assert cli("webhook", "dead-letters", added["webhook_id"]).out == "No dead letters.\n"
    assert cli("webhook", "redeliver", added["webhook_id"]).code == 0
    assert cli("webhook", "remove", added["webhook_id"]).code == 0
    assert url not in cli("webhook", "list").out
    assert cli("webhook", "list", role="operator").code == 6


def test_command_is_completed_with_what_the_server_knows(cli: Cli, stack: Stack) -> None:
    run = new_id()
    cli("wf", "run", "task_chain", "--input", "1", "--instance-id", run)
    words = f"holdfast --stack {stack.name} wf get {run[:8]}"

    # Patient: a busy machine may take longer than the second that a shell waits.
    def completed() -> list[str]:
        done = CliRunner().invoke(
            app,
            [],
            prog_name="holdfast",
            env={
                "_HOLDFAST_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
            },
        )
        return done.stdout.split()

    eventually("the run to be offered", lambda: run in completed(), seconds=30)


def test_consoles_address_signs_a_browser_in_once(cli: Cli) -> None:
    address = cli("console", "--no-open", "-o", "json", role="viewer").document["console"]

    with httpx.Client(trust_env=False) as browser:
        first, second = browser.get(address), browser.get(address)

    assert first.status_code == 200
    assert "holdfast_console" in first.headers["set-cookie"]
    assert second.status_code == 403


@pytest.mark.parametrize("command", ["watch", "wait"])
def test_command_that_waits_outlives_a_killed_api(cli: Cli, stack: Stack, command: str) -> None:
    run = new_id()
    start = ("wf", "run", "task_chain", "--input", "1", "--instance-id", run, "--start-at", "5s")
    if command == "watch":
        assert cli(*start).code == 0
        waiting: tuple[str, ...] = ("wf", "watch", run)
    else:
        waiting = (*start, "--wait")
    program = [sys.executable, "-m", "holdfast_cli", "--stack", stack.name, *waiting]

    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        # Its first words: from now on it waits.
        said = process.stdout.readline()
        stack.kill("status-api")
        rest, _ = process.communicate(timeout=120)

    assert process.returncode == 0, said + rest
    assert b"COMPLETED" in rest
