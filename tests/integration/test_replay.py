"""The replay check against runs in flight on a real stack, with the code changed in every way."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from holdfast_local.stack import Stack
from holdfast_orchestrator.replay.recording import Recording, load
from tests.support.examples import ORDER, TRIP
from tests.support.holding import Hold, held
from tests.support.http_server import Answer, running_site
from tests.support.other_code import CONTRACTS, WORKFLOWS, OtherCode
from tests.support.runs import start, wait_for_end, wait_for_state
from tests.support.stacks import client_of, without
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LEGS = "origin,destination\n" + "AMS,JFK\n" * 130
CSV = {"Content-Type": "text/csv"}
CHAINS, TRIPS = WORKFLOWS / "task_chain.py", WORKFLOWS / "book_trip.py"
BATCHES, ORDERS = WORKFLOWS / "batch_processing.py", WORKFLOWS / "request_escalation.py"
MONITORS = WORKFLOWS / "job_status_monitor.py"


@dataclass
class Flight:
    """Runs that are in flight, and the check of them by the code that they run on."""

    tag: str
    hold: Hold
    #: The histories that the check kept.
    file: Path
    check: subprocess.CompletedProcess[str]
    finish: Callable[[], None]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> OtherCode:
    """The code of the tree, elsewhere."""
    return OtherCode.copied_to(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with client_of(stack) as client:
        yield client


@pytest.fixture(scope="module")
def flight(
    stack: Stack,
    client: httpx.Client,
    db: Engine,
    other: OtherCode,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flight]:
    """All five workflows in flight: one with children, one at the gate, one that went on as new."""
    tag = uuid4().hex[:6]
    chain, trip, gated, batch = (f"{name}-{tag}" for name in ("chain", "trip", "gated", "batch"))
    in_each_child = [f"{batch}|0|process_work_item|{n}" for n in (0, 64, 128)]
    stuck = (f"{chain}|0|step2|0", f"{trip}|0|book_hotel|0", *in_each_child)
    gate = f"{gated}|0|book_flight|0"
    file = tmp_path_factory.mktemp("histories") / "histories.jsonl"
    with running_site() as site, held(db, *stuck, gate) as hold:
        site.answers[:] = [Answer(body=b'{"status": "running"}')]
        job = {"job_id": f"{site.url}/job", "poll_interval_seconds": 0.1}
        start(client, "job_status_monitor", job, instance_id=f"monitor-{tag}")
        start(client, "task_chain", 1, instance_id=chain)
        start(client, "book_trip", TRIP, instance_id=trip)
        start(client, "book_trip", TRIP, instance_id=gated)
        client.post("/batches", content=LEGS, params={"batch_id": batch}, headers=CSV)
        start(client, "batch_processing", {"batch_id": batch}, instance_id=batch)
        start(client, "request_escalation", ORDER, instance_id=f"order-{tag}")
        hold.wait_until_begun()
        client.post(f"/runs/{gated}/suspend").raise_for_status()
        eventually("the suspension is there", lambda: delivered(client, gated), seconds=30)
        hold.release(gate)
        wait_for_state(client, gated, "SUSPENDED")
        eventually(
            "the monitor went on as new",
            lambda: polls(client, f"monitor-{tag}") > 52,
            seconds=120,
        )
        check = other.replay("--stack", stack.name, "--save", str(file), "-o", "json")

        def finish() -> None:
            hold.release(*stuck)
            site.answers[:] = [Answer(body=b'{"status": "completed"}')]
            approval = {"approved": True}
            client.post(f"/runs/{gated}/resume").raise_for_status()
            client.post(f"/runs/order-{tag}/events/human_approval", json=approval)

        yield Flight(tag, hold, file, check, finish)


def delivered(client: httpx.Client, run: str) -> bool:
    events = client.get(f"/runs/{run}/events").json()["events"]
    return bool(events) and all(event["state"] != "pending" for event in events)


def polls(client: httpx.Client, run: str) -> int:
    effects = client.get(f"/runs/{run}/timeline").json()["effects"]
    return sum(effect["step"] == "check_job_status" for effect in effects)


def test_the_code_that_the_runs_began_with_fits_them_all(flight: Flight) -> None:
    assert flight.check.returncode == 0, flight.check.stdout + flight.check.stderr
    document = json.loads(flight.check.stdout)
    # Other tests' runs may be in flight, too.
    assert document["checked"] >= 9
    assert document["fit"] == document["checked"]
    kept = recorded(flight)
    assert {name.rpartition("-")[0] for name in kept} == {
        *("chain", "trip", "gated", "batch", "order", "monitor")
    }
    children = {f"batch-{flight.tag}:0:{number}" for number in range(3)}
    assert children <= set(kept)
    monitor = kept[f"monitor-{flight.tag}"].history()
    first = next(e for e in monitor.events if e.HasField("executionStarted"))
    assert json.loads(first.executionStarted.input.value)["epoch"] >= 1


def recorded(flight: Flight) -> dict[str, Recording]:
    found = {each.instance_id: each for each in load(flight.file.read_text("utf-8"))}
    return {name: each for name, each in found.items() if flight.tag in name}


FLIGHT_STEP = (
    "    _Step(BOOK_FLIGHT, BookFlight, lambda trip: trip.flight, CANCEL_FLIGHT, CancelFlight),\n"
)
HOTEL_STEP = (
    "    _Step(BOOK_HOTEL, BookHotel, lambda trip: trip.hotel, CANCEL_HOTEL, CancelHotel),\n"
)
SECOND_STEP = "        second = yield from call(\n"
ONE_MORE = """        yield from call(
            run, STEP3, Square(key=run.key(STEP3, 1), instance=run.id, value=first.value)
        )
"""
RESULT = '    """What a step of the chain made of its value."""\n\n'


class Change(NamedTuple):
    """What is changed where, which runs it breaks, and what the check says of them."""

    file: Path
    old: str
    new: str
    breaks: set[str]
    kind: str
    says: str


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            Change(
                CONTRACTS / "task_chain.py",
                'Activity("step2"',
                'Activity("double"',
                {"chain"},
                "name",
                "the history has activity step2, the code activity double",
            ),
            id="renamed activity",
        ),
        pytest.param(
            Change(
                TRIPS,
                FLIGHT_STEP + HOTEL_STEP,
                HOTEL_STEP + FLIGHT_STEP,
                {"trip", "gated"},
                "name",
                "the history has activity book_flight, the code activity book_hotel",
            ),
            id="reordered steps",
        ),
        pytest.param(
            Change(
                TRIPS,
                FLIGHT_STEP,
                "",
                {"trip", "gated"},
                "name",
                "the history has activity book_flight, the code activity book_hotel",
            ),
            id="removed step",
        ),
        pytest.param(
            Change(
                CHAINS,
                SECOND_STEP,
                ONE_MORE + SECOND_STEP,
                {"chain"},
                "name",
                "the history has activity step2, the code activity step3",
            ),
            id="added step",
        ),
        pytest.param(
            Change(
                MONITORS,
                "key=run.key(CHECK_JOB_STATUS, poll)",
                "key=run.key(CHECK_JOB_STATUS, poll + 1)",
                {"monitor"},
                "input",
                "activity check_job_status: its input is another: key was",
            ),
            id="changed input",
        ),
        pytest.param(
            Change(
                BATCHES,
                "stop=min(start + CHILD_WIDTH, batch.count)",
                "stop=min(start + CHILD_WIDTH, batch.count) - 1",
                {"batch"},
                "input",
                "child workflow batch_chunk: its input is another: stop was 64 and is 63",
            ),
            id="changed input of a child",
        ),
        pytest.param(
            Change(
                Path("holdfast_orchestrator/durable.py"),
                'instance_id=f"{run.id}:{run.epoch}:{number}"',
                'instance_id=f"{run.id}:{number}"',
                {"batch"},
                "child id",
                "child workflow batch_chunk: its id was batch-",
            ),
            id="changed id of a child",
        ),
        pytest.param(
            Change(
                CONTRACTS / "request_escalation.py",
                'Event("human_approval"',
                'Event("approval"',
                {"order"},
                "event",
                "has wait for human_approval, the code wait for approval",
            ),
            id="changed event",
        ),
        pytest.param(
            Change(
                CONTRACTS / "task_chain.py",
                RESULT,
                RESULT + "    unit: str\n",
                {"chain"},
                "raises",
                "the code raises ValidationError",
            ),
            id="result that is not read any more",
        ),
        pytest.param(
            Change(
                CONTRACTS / "task_chain.py",
                "    rerun_from_event=True,\n",
                '    rerun_from_event=True,\n    version="2",\n',
                {"chain"},
                "version",
                "it began in version 1 of task_chain, which is not registered",
            ),
            id="version that is gone",
        ),
        pytest.param(
            Change(CHAINS, "value=second.value)", "value=second.value + 1)", set(), "", ""),
            id="step that no run has come to",
        ),
    ],
)
def test_each_kind_of_change_names_the_runs_that_it_breaks_and_no_others(
    flight: Flight,
    tmp_path: Path,
    change: Change,
) -> None:
    changed = OtherCode.copied_to(tmp_path / "code")
    changed.edit(change.file, change.old, change.new)
    done = changed.replay("--from", str(flight.file), "-o", "json")
    assert done.returncode == bool(change.breaks), done.stdout + done.stderr
    broken = {run["instance_id"]: run for run in json.loads(done.stdout)["broken"]}
    mine = {name: run for name, run in broken.items() if flight.tag in name}
    assert set(mine) == {f"{name}-{flight.tag}" for name in change.breaks}
    for run in mine.values():
        finding = run["findings"][0]
        assert finding["kind"] == change.kind
        assert change.says in finding["reason"]


def test_another_app_is_named_for_every_run_that_has_called_one(
    flight: Flight, other: OtherCode
) -> None:
    done = other.replay("--from", str(flight.file), "--worker-app-id", "elsewhere", "-o", "json")
    assert done.returncode == 1
    broken = {run["instance_id"]: run for run in json.loads(done.stdout)["broken"]}
    assert set(recorded(flight)) - set(broken) == {f"order-{flight.tag}"}
    reasons = broken[f"chain-{flight.tag}"]["findings"]
    assert {finding["kind"] for finding in reasons} == {"app"}


def test_histories_are_for_admins_and_come_through_the_api_only(
    stack: Stack, flight: Flight
) -> None:
    path = f"/runs/chain-{flight.tag}/recording"
    with httpx.Client(base_url=stack.api_url, trust_env=False) as nobody:
        assert nobody.get(path).status_code == 401
        for role in ("viewer", "operator", "approver"):
            headers = {"Authorization": f"Bearer {stack.token(role)}"}
            assert nobody.get(path, headers=headers).status_code == 403
        admin = {"Authorization": f"Bearer {stack.token('admin')}"}
        assert nobody.get(path, headers=admin).status_code == 200
        foreign = {"child": f"batch-{flight.tag}:0:0"}
        assert nobody.get(path, headers=admin, params=foreign).status_code == 404
        missing = {"child": f"chain-{flight.tag}:0:0/../../x"}
        assert nobody.get(path, headers=admin, params=missing).status_code == 404
    direct = httpx.get(f"{stack.orchestrator_url}/instances/chain-{flight.tag}/recording")
    assert direct.status_code == 401


def test_runs_that_were_checked_end_as_they_would_have(
    client: httpx.Client, flight: Flight
) -> None:
    flight.finish()
    states = {
        name: wait_for_end(client, name)["state"]
        for name in sorted(recorded(flight))
        if ":" not in name
    }
    assert set(states.values()) == {"COMPLETED"}, states
    assert wait_for_end(client, f"chain-{flight.tag}")["output"] == [2, 4, 16]


def test_a_run_whose_first_step_cannot_be_sent_yet_is_no_finding(
    stack: Stack, client: httpx.Client, other: OtherCode
) -> None:
    """The engine saves such a run without the step, and repeats the turn."""
    with without(stack, "activity-worker"):
        run = start(client, "task_chain", 1)
        wait_for_state(client, run, "RUNNING")
        done = other.replay("--stack", stack.name, "-o", "json")
        assert done.returncode == 0, done.stdout + done.stderr
    assert wait_for_end(client, run)["output"] == [2, 4, 16]
