"""What one request does to many runs: to those only that it is for, and to no more than 1,000."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import httpx
from sqlalchemy import Engine

from holdfast_status_api.bulk import MOST
from tests.integration.status_api.asking import problem, put


def test_ended_runs_are_purged_by_one_request_and_a_running_one_stays(
    lone_api: httpx.Client, rows: Engine
) -> None:
    mark = f"purge-{uuid.uuid4().hex[:8]}"
    now = datetime.now(UTC)
    ended = [f"{mark}-{number}" for number in range(3)]
    running = f"{mark}-running"
    put(rows, [(run, now) for run in ended])
    put(rows, [(running, now)], state="RUNNING")

    dry = lone_api.post("/bulk/purge", params={"q": mark})
    assert (dry.status_code, dry.json()["count"]) == (200, 3)
    assert [lone_api.get(f"/status/{run}").status_code for run in ended] == [200] * 3

    token = {"token": dry.json()["token"]}
    done = lone_api.post("/bulk/purge", params={"q": mark}, json=token)
    assert done.status_code == 202, done.text
    assert (done.json()["accepted"], done.json()["refused"]) == (3, [])
    codes = [lone_api.get(f"/status/{run}").status_code for run in (*ended, running)]
    assert codes == [410, 410, 410, 200]


def test_more_runs_than_one_request_may_mean_are_a_422_that_counts_them(
    lone_api: httpx.Client, rows: Engine
) -> None:
    mark = f"many-{uuid.uuid4().hex[:8]}"
    now = datetime.now(UTC)
    put(rows, [(f"{mark}-{number:04}", now) for number in range(MOST + 1)])

    refused = problem(lone_api.post("/bulk/purge", params={"q": mark}), 422)
    assert refused["count"] == MOST + 1
    assert "token" not in refused
    assert lone_api.get(f"/status/{mark}-0000").status_code == 200

    # All but the last: as many as one request may mean.
    narrowed = lone_api.post("/bulk/purge", params={"q": f"{mark}-0"})
    assert (narrowed.status_code, narrowed.json()["count"]) == (200, MOST)
