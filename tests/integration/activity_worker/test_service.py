from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dapr.ext.workflow import WorkflowRuntime

from holdfast_activity_worker.activities import implementations
from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.registration import as_engine_activity, build_runtime
from holdfast_contracts.catalogue import activities_of
from holdfast_contracts.core import App
from holdfast_contracts.errors import PermanentError
from holdfast_contracts.task_chain import STEP1
from tests.integration.activity_worker.hands import Hands, key
from tests.support.postgres import Database, free_port
from tests.support.waiting import eventually

IMPLEMENTATIONS = implementations(JobSources(()))
STEP1_IMPLEMENTATION = next(each for each in IMPLEMENTATIONS if each.activity is STEP1)


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    """Serve with a sidecar that is away for good."""
    port = free_port()
    environment = {
        "HOLDFAST_DATABASE_URL": database.url("worker"),
        "HOLDFAST_PORT": str(port),
        "HOLDFAST_POD": "lonely",
        "DAPR_GRPC_PORT": str(free_port()),
    }
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "holdfast_activity_worker", "serve"],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                return client.get("/healthz").is_success
            except httpx.TransportError:
                return False

        try:
            eventually("the service answers", answers, seconds=60)
            yield client
        finally:
            process.terminate()
            assert process.wait(timeout=40) == 0


def test_a_process_without_its_sidecar_lives_is_not_ready_and_says_why(
    service: httpx.Client,
) -> None:
    assert service.get("/healthz").json() == {"status": "live"}
    answer = service.get("/readyz")
    assert answer.status_code == 503
    assert list(answer.json()["missing"]) == ["sidecar"]
    eventually(
        "the outbox is measured", lambda: "holdfast_outbox_depth" in service.get("/metrics").text
    )


def test_a_runtime_has_every_activity_however_often_it_is_built(hands: Hands) -> None:
    for _ in range(2):
        runtime = build_runtime(hands.ledger, IMPLEMENTATIONS, port=1, threads=2)
        assert registered(runtime) == set(activities_of(App.ACTIVITY_WORKER))


def test_the_engine_hands_over_json_and_gets_json(hands: Hands, run: str) -> None:
    step1 = as_engine_activity(hands.ledger, STEP1_IMPLEMENTATION)
    command = {"key": key(STEP1, run), "instance": run, "value": 1}
    assert step1(None, command) == {"value": 2}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "payload", [None, 1, {}, {"key": "no key", "instance": "i", "value": 1}, {"value": 1}]
)
def test_what_is_no_command_is_refused_for_good(hands: Hands, payload: object) -> None:
    step1 = as_engine_activity(hands.ledger, STEP1_IMPLEMENTATION)
    with pytest.raises(PermanentError, match="step1 was given no AddOne"):
        step1(None, payload)  # type: ignore[arg-type]


def registered(runtime: WorkflowRuntime) -> set[str]:
    """Read the names from where the engine's worker looks them up."""
    worker = runtime._WorkflowRuntime__worker  # type: ignore[attr-defined]  # noqa: SLF001
    return set(worker._registry.activities)  # noqa: SLF001
