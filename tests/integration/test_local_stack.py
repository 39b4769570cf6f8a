"""The local stack keeps its promises on real processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from holdfast_local import processes
from holdfast_local.errors import StackError
from holdfast_local.programs import NAMES
from holdfast_local.stack import Stack, names_of
from tests.support.examples import APPROVAL, ORDER
from tests.support.runs import start, state_of, wait_for_end, wait_for_state
from tests.support.stacks import client_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

#: These two of Dapr's servers know no listen address for their health check (Dapr 1.18.2); it
#: answers "alive" and nothing else.
LISTEN_EVERYWHERE = {"placement-healthz", "scheduler-healthz"}


@pytest.fixture
def make_stack(stack_name: str) -> Iterator[Callable[..., Stack]]:
    """Make stacks of the test's own, which are deleted at its end, whatever happens."""
    made: list[Stack] = []

    def make(suffix: str, **options: Any) -> Stack:
        stack = Stack(f"{stack_name}-{suffix}", **options)
        stack.delete()
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.delete()


@pytest.fixture(scope="module")
def spare(stack_name: str) -> Iterator[Stack]:
    """A second stack, as the test before has left it: up or down, or not there yet."""
    stack = Stack(f"{stack_name}-spare")
    stack.delete()
    yield stack
    stack.delete()


def left_of(stack: Stack) -> list[psutil.Process]:
    return processes.of_stack(stack.folder.marker)


def has_ended(process: psutil.Process) -> bool:
    # A child of init is a zombie until init looks.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: stack.pid(name) for name in NAMES}


def begun(stack: Stack) -> bool:
    return stack.is_up() and stack.pid("placement") is not None


def kill_supervisor(stack: Stack) -> list[psutil.Process]:
    """Return the processes that it leaves."""
    supervisor = int(stack.folder.supervisord_pid.read_text())
    os.kill(supervisor, signal.SIGKILL)
    eventually("supervisord has gone", lambda: not stack.is_up())
    orphans = left_of(stack)
    assert len(orphans) >= len(NAMES)
    return orphans


def test_every_process_of_a_stack_runs_and_is_shown(stack: Stack) -> None:
    infos = stack.status()

    assert [info.name for info in infos] == list(NAMES)
    assert all(info.is_live for info in infos)
    assert all(info.pid and info.uss_bytes and info.ports for info in infos)


def test_all_listen_on_loopback_only(stack: Stack) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in left_of(stack)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    ports = stack.ports

    assert {port for _, port in listening} == set(ports.values())
    elsewhere = {port for address, port in listening if address != "127.0.0.1"}
    assert elsewhere == {ports[name] for name in LISTEN_EVERYWHERE}


def test_starting_again_changes_nothing(stack: Stack) -> None:
    before = pids(stack)
    stack.up()
    assert pids(stack) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_comes_back_with_another_pid(stack: Stack, name: str) -> None:
    restarts = {info.name: info.restarts for info in stack.status()}
    killed = stack.kill(name)
    assert killed

    def another() -> bool:
        now = stack.pid(name)
        return now is not None and now not in killed

    eventually(f"{name} runs again", another)
    stack.wait_until_ready(60)
    after = {info.name: info.restarts for info in stack.status()}
    assert after[name] > restarts[name]


def test_everything_killed_at_once_comes_back(stack: Stack) -> None:
    with client_of(stack) as api:
        run = start(api, "request_escalation", ORDER)
        wait_for_state(api, run, "RUNNING")
    killed = {pid for name in NAMES for pid in stack.kill(name)}

    def others() -> bool:
        now = pids(stack).values()
        return all(now) and not killed.intersection(now)

    eventually("every process has another pid", others, seconds=30)
    stack.wait_until_ready(90)
    with client_of(stack) as api:
        wait_for_state(api, run, "RUNNING")


def test_a_stopped_process_stays_stopped_until_it_is_started(stack: Stack) -> None:
    stack.stop("activity-worker")
    assert stack.pid("activity-worker") is None
    stack.start("activity-worker")
    stack.wait_until_ready(60)
    assert stack.pid("activity-worker")


def test_a_frozen_process_can_be_thawed(stack: Stack) -> None:
    frozen = stack.signal_group("orchestrator", signal.SIGSTOP)
    members = [psutil.Process(pid) for pid in frozen]

    def states() -> set[str]:
        return {process.status() for process in members}

    try:
        eventually("all stand still", lambda: states() == {psutil.STATUS_STOPPED})
    finally:
        thawed = stack.signal_group("orchestrator", signal.SIGCONT)
    assert thawed == frozen
    eventually("all go on", lambda: psutil.STATUS_STOPPED not in states())
    stack.wait_until_ready(60)


def test_down_leaves_no_process_and_up_finds_the_state_again(spare: Stack) -> None:
    spare.up()
    app_ids, ports = spare.app_ids, spare.ports
    with client_of(spare) as api:
        done = start(api, "task_chain", 1)
        waiting = start(api, "request_escalation", ORDER)
        assert wait_for_end(api, done, seconds=30)["state"] == "COMPLETED"
        wait_for_state(api, waiting, "RUNNING", seconds=30)
    members = left_of(spare)

    spare.down()
    assert left_of(spare) == []
    assert [process for process in members if not has_ended(process)] == []
    assert not spare.is_up()

    spare.up()
    assert (spare.app_ids, spare.ports) == (app_ids, ports)
    with client_of(spare) as api:
        assert state_of(api, done)["state"] == "COMPLETED"
        answer = api.post(f"/runs/{waiting}/events/human_approval", json=APPROVAL)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        # It waited across the stop.
        assert wait_for_end(api, waiting, seconds=60)["state"] == "COMPLETED"


def test_two_stacks_do_not_see_each_other(stack: Stack, spare: Stack) -> None:
    spare.up()

    assert not set(stack.ports.values()) & set(spare.ports.values())
    assert not set(stack.app_ids.values()) & set(spare.app_ids.values())
    with client_of(stack) as here, client_of(spare) as there:
        run = start(here, "task_chain", 2)
        assert wait_for_end(here, run, seconds=30)["state"] == "COMPLETED"
        assert there.get(f"/status/{run}").status_code == httpx.codes.NOT_FOUND

        # Both have an instance of the same name, each its own.
        for api, number in ((here, 3), (there, 4)):
            start(api, "task_chain", number, instance_id="twin")
        for api, first in ((here, 4), (there, 5)):
            assert wait_for_end(api, "twin", seconds=30)["output"][0] == first

    spare.down()
    assert left_of(spare) == []
    assert all(pids(stack).values())


def test_a_port_that_is_taken_meanwhile_is_replaced(spare: Stack) -> None:
    if not spare.folder.ports.exists():
        spare.up()
    before = spare.ports
    spare.down()
    with socket.create_server(("127.0.0.1", before["status-api"])):
        spare.up()
        after = spare.ports

    assert {name for name in before if before[name] != after[name]} == {"status-api"}
    assert httpx.get(f"{spare.api_url}/readyz", timeout=30).status_code == httpx.codes.OK


def test_the_orphans_of_a_killed_supervisor_are_ended(spare: Stack) -> None:
    spare.up()
    orphans = kill_supervisor(spare)

    spare.up()
    assert spare.is_ready()
    assert [process for process in orphans if not has_ended(process)] == []

    orphans = kill_supervisor(spare)
    spare.down()
    assert [process for process in orphans if not has_ended(process)] == []
    assert left_of(spare) == []


def test_a_stack_whose_folder_was_deleted_can_be_ended(spare: Stack) -> None:
    spare.up()
    shutil.rmtree(spare.folder.path)
    assert spare.name in names_of(spare.folder.root)

    spare.down()
    assert left_of(spare) == []
    assert spare.name not in names_of(spare.folder.root)


def test_a_start_that_fails_says_why_and_leaves_nothing(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("broken", service_env={"orchestrator": {"HOLDFAST_PORT": "no-number"}})

    with pytest.raises(StackError) as failure:
        stack.up()

    assert "end of" in str(failure.value)
    assert "orchestrator.log" in str(failure.value)
    assert "no-number" in str(failure.value)
    assert left_of(stack) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(
    make_stack: Callable[..., Stack], number: signal.Signals
) -> None:
    stack = make_stack(f"interrupted-{number}")
    command = [sys.executable, "-m", "holdfast_local", "up", "--name", stack.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as starting:
        eventually("the start is on its way", lambda: begun(stack), seconds=60)
        starting.send_signal(number)
        output, _ = starting.communicate(timeout=60)

    assert starting.returncode, output
    assert b"ready" not in output
    assert left_of(stack) == []


def test_a_stack_in_a_closed_folder_works_for_root_too(tmp_path: Path, stack_name: str) -> None:
    tmp_path.chmod(0o700)
    stack = Stack(f"{stack_name}-closed", root=tmp_path)
    try:
        stack.up()
        with client_of(stack) as api:
            run = start(api, "task_chain", 1)
            assert wait_for_end(api, run, seconds=30)["state"] == "COMPLETED"
        home = stack.folder.postgres.resolve()
        assert (home / "data" / "PG_VERSION").exists()
    finally:
        stack.delete()
    assert not home.exists()
    assert not stack.folder.path.exists()
    assert left_of(stack) == []
