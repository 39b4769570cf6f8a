"""Workflow code is changed under runs in flight: with a patch, with a version, and with neither.

What the replay check says beforehand is what the engine does afterwards. `docs/versioning.md`
tells how to do it; what is done here is what it tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from holdfast_local.stack import Stack
from tests.support.holding import held
from tests.support.ledger import steps
from tests.support.other_code import CONTRACTS, WORKFLOWS, OtherCode
from tests.support.runs import start, state_of, wait_for_end
from tests.support.stacks import client_of, database_of, running_stack
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CHAINS = WORKFLOWS / "task_chain.py"
CONTRACT = CONTRACTS / "task_chain.py"

#: The change: after the first step, its result is squared under a key of its own.
SECOND_STEP = "        second = yield from call(\n"
SQUARED = """\
        first = yield from call(
            run, STEP3, Square(key=run.key(STEP3, 1), instance=run.id, value=first.value)
        )
"""
PATCHED = '        if run.patched("square-first"):\n' + "".join(
    f"    {line}\n" for line in SQUARED.splitlines()
)
#: What a chain of 1 returns, and its steps.
OLD = ([2, 4, 16], ["step1", "step2", "step3"])
NEW = ([4, 8, 64], ["step1", "step3", "step2", "step3"])


Change = Callable[[OtherCode], None]


@dataclass
class Deployment:
    """A stack whose orchestrator runs code that a test may change."""

    stack: Stack
    code: OtherCode
    api: httpx.Client
    db: Engine

    def deploy(self, change: Change) -> None:
        """Change the code and start the orchestrator again with it."""
        self.stack.stop("orchestrator")
        change(self.code)
        self.stack.start("orchestrator")
        eventually("the orchestrator is ready", self._ready, seconds=120)

    def checked(self, folder: Path, *changes: Change) -> list[dict[str, Any]]:
        """Give the runs that the replay check names if the tree's code were changed like that."""
        code = OtherCode.copied_to(folder / "wanted")
        for change in changes:
            change(code)
        done = code.replay("--stack", self.stack.name, "-o", "json")
        assert done.returncode in {0, 1}, done.stderr
        broken: list[dict[str, Any]] = json.loads(done.stdout)["broken"]
        assert done.returncode == bool(broken)
        return broken

    def begin(self, *runs: str) -> None:
        """Start chains."""
        for run in runs:
            start(self.api, "task_chain", 1, instance_id=run)

    def end(self, run: str) -> tuple[Any, list[str]]:
        """Give what a run returns, and its steps in the order in which they took effect."""
        output = wait_for_end(self.api, run)["output"]
        return output, steps(self.db, run)

    def stalled(self, run: str) -> bool:
        """Say whether the engine has held the run back."""
        events = self.api.get(f"/runs/{run}/history").json()["events"]
        return any(event["type"] == "EXECUTION_STALLED" for event in events)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.stack.orchestrator_url}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def deployed(
    stack_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Path]]:
    """A stack, and the folder of its orchestrator's code."""
    folder = tmp_path_factory.mktemp("deployed") / "code"
    code = OtherCode.copied_to(folder)
    own = {"orchestrator": code.environment}
    with running_stack(f"{stack_name}-versions", service_env=own) as stack:
        yield stack, folder


@pytest.fixture
def deployment(deployed: tuple[Stack, Path]) -> Iterator[Deployment]:
    """The code of the tree, deployed."""
    stack, folder = deployed
    with database_of(stack) as engine, client_of(stack) as api:
        deployment = Deployment(stack, OtherCode(folder), api, engine)
        yield deployment
        deployment.deploy(as_it_was)


@pytest.fixture
def name() -> str:
    """What the runs of a test begin with."""
    return uuid4().hex[:6]


def as_it_was(code: OtherCode) -> None:
    OtherCode.copied_to(code.folder)


def add_a_patch(code: OtherCode) -> None:
    code.edit(CHAINS, SECOND_STEP, PATCHED + SECOND_STEP)


def take_the_patch_away(code: OtherCode) -> None:
    code.edit(CHAINS, PATCHED, "")


def change_without_a_patch(code: OtherCode) -> None:
    code.edit(CHAINS, SECOND_STEP, SQUARED + SECOND_STEP)


def add_a_version(code: OtherCode) -> None:
    """Version 2 beside version 1, as the page tells."""
    module = (code.folder / CHAINS).read_text("utf-8")
    function = module[module.index("def task_chain(") :]
    earlier = function.replace("def task_chain(", "def task_chain_v1(")
    latest = function.replace(SECOND_STEP, SQUARED + SECOND_STEP)
    code.edit(CHAINS, function, f"{earlier}\n\n{latest}")
    version = '    rerun_from_event=True,\n    version="2",\n'
    code.edit(CONTRACT, "    rerun_from_event=True,\n", version)


def add_a_patch_before_the_first_step(code: OtherCode) -> None:
    first = "    try:\n        first = yield from call(\n"
    code.edit(CHAINS, first, f'    run.patched("early")\n{first}')


def take_version_1_away(code: OtherCode) -> None:
    code.edit(CHAINS, "def task_chain_v1(", "def _was_task_chain(")


def bring_version_1_back(code: OtherCode) -> None:
    code.edit(CHAINS, "def _was_task_chain(", "def task_chain_v1(")


def test_a_patch_lets_old_runs_end_on_the_old_path_and_new_ones_take_the_new(
    deployment: Deployment, name: str, tmp_path: Path
) -> None:
    old, new = f"{name}-old", f"{name}-new"
    with held(deployment.db, f"{old}|0|step2|0") as hold:
        deployment.begin(old)
        hold.wait_until_begun()
        assert deployment.checked(tmp_path, add_a_patch) == []
        deployment.deploy(add_a_patch)
        deployment.begin(new)
        assert deployment.end(new) == NEW
        assert state_of(deployment.api, old)["state"] == "RUNNING"
    assert deployment.end(old) == OLD


def test_a_run_that_is_not_past_the_place_of_a_patch_takes_the_new_path(
    deployment: Deployment, name: str
) -> None:
    with held(deployment.db, f"{name}|0|step1|0") as hold:
        deployment.begin(name)
        hold.wait_until_begun()
        deployment.deploy(add_a_patch)
    assert deployment.end(name) == NEW


def test_a_patch_that_is_taken_away_stalls_the_runs_that_took_it_until_it_is_back(
    deployment: Deployment, name: str, tmp_path: Path
) -> None:
    deployment.deploy(add_a_patch)
    with held(deployment.db, f"{name}|0|step2|0") as hold:
        deployment.begin(name)
        hold.wait_until_begun()
        assert consequences(deployment.checked(tmp_path)) == {name: "would stall"}
        deployment.deploy(take_the_patch_away)
    eventually("the run is stalled", lambda: deployment.stalled(name), seconds=60)
    deployment.deploy(add_a_patch)
    assert deployment.end(name) == NEW


def test_a_version_lets_old_runs_end_in_it_and_stalls_them_if_it_goes_too_early(
    deployment: Deployment, name: str, tmp_path: Path
) -> None:
    old, left, new = f"{name}-old", f"{name}-left", f"{name}-new"
    with held(deployment.db, f"{old}|0|step2|0", f"{left}|0|step2|0") as hold:
        deployment.begin(old, left)
        hold.wait_until_begun()
        assert deployment.checked(tmp_path, add_a_version) == []
        deployment.deploy(add_a_version)
        deployment.begin(new)
        assert deployment.end(new) == NEW
        hold.release(f"{old}|0|step2|0")
        assert deployment.end(old) == OLD
        said = deployment.checked(tmp_path, add_a_version, take_version_1_away)
        assert consequences(said) == {left: "would stall"}
        deployment.deploy(take_version_1_away)
    eventually("the run is stalled", lambda: deployment.stalled(left), seconds=60)
    assert state_of(deployment.api, left)["state"] == "RUNNING"
    deployment.deploy(bring_version_1_back)
    assert deployment.end(left) == OLD


def test_a_change_with_neither_fails_the_run_as_the_check_has_said(
    deployment: Deployment, name: str, tmp_path: Path
) -> None:
    with held(deployment.db, f"{name}|0|step2|0") as hold:
        deployment.begin(name)
        hold.wait_until_begun()
        said = deployment.checked(tmp_path, change_without_a_patch)
        assert consequences(said) == {name: "would fail"}
        deployment.deploy(change_without_a_patch)
    ended = wait_for_end(deployment.api, name)
    assert ended["state"] == "FAILED"
    assert ended["failure"]["type"] == "NonDeterminismError"


def test_the_engine_forgets_the_version_of_a_run_that_takes_a_patch_before_its_first_step(
    deployment: Deployment, name: str, tmp_path: Path
) -> None:
    deployment.deploy(add_a_patch_before_the_first_step)
    with held(deployment.db, f"{name}|0|step2|0") as hold:
        deployment.begin(name)
        hold.wait_until_begun()
        # The run began in version 1, which is still there; it is taken for one of version 2.
        both = (add_a_patch_before_the_first_step, add_a_version)
        (run,) = deployment.checked(tmp_path, *both)
        assert (run["version"], run["findings"][0]["kind"]) == ("", "name")


def consequences(broken: list[dict[str, Any]]) -> dict[str, str]:
    return {run["instance_id"]: run["consequence"] for run in broken}
