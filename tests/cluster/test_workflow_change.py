"""What Skaffold asks before it lets changed workflows in, with runs in flight in the cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.cluster.conftest import Cluster
from tests.support.clone import ROOT
from tests.support.examples import APPROVAL, ORDER
from tests.support.other_code import WORKFLOWS, OtherCode
from tests.support.runs import start, state_of, wait_for_end
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

ORDERS = WORKFLOWS / "request_escalation.py"
WAIT = "    raised = yield from wait_for_event("


@pytest.fixture
def waiting(api: httpx.Client) -> Iterator[str]:
    """A run that waits for a decision, and gets it after the test."""
    run = start(api, "request_escalation", ORDER)
    eventually(
        "it waits",
        lambda: state_of(api, run)["custom_status"] == "waiting for human_approval",
        seconds=30,
    )
    yield run
    assert api.post(f"/runs/{run}/events/human_approval", json=APPROVAL).is_success
    assert wait_for_end(api, run)["output"]["verdict"] == "approved"


def asked(cluster: Cluster, code: OtherCode) -> subprocess.CompletedProcess[str]:
    """Run the hook that `skaffold.yaml` has before a deployment and before a file goes in."""
    skaffold = yaml.safe_load((ROOT / "skaffold.yaml").read_text("utf-8"))
    (hook,) = skaffold["deploy"]["helm"]["hooks"]["before"]
    (orchestrator,) = (
        artifact
        for artifact in skaffold["build"]["artifacts"]
        if artifact["image"] == "holdfast/orchestrator"
    )
    assert orchestrator["sync"]["hooks"]["before"] == [hook]
    return subprocess.run(
        hook["host"]["command"],
        cwd=ROOT,
        env={
            **os.environ,
            **code.environment,
            "HOLDFAST_PYTHON": sys.executable,
            "HOLDFAST_CONTEXT": f"kind-{cluster.folder.name}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_change_that_would_break_a_run_in_flight_is_refused(
    cluster: Cluster, waiting: str, tmp_path: Path
) -> None:
    code = OtherCode.copied_to(tmp_path / "code")
    as_it_is = asked(cluster, code)
    assert as_it_is.returncode == 0, as_it_is.stdout + as_it_is.stderr

    code.edit(ORDERS, WAIT, f"    yield from sleep(run, 1)\n{WAIT}")
    code.edit(ORDERS, "import Run, Steps, call, wait", "import Run, Steps, call, sleep, wait")
    changed = asked(cluster, code)

    assert changed.returncode == 1, changed.stdout + changed.stderr
    assert waiting in changed.stdout + changed.stderr
