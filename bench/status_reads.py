"""Status reads and starts under an open loop, beside a Flask route that does nothing.

vegeta sends at a rate that does not depend on the answers, so a server that stalls is not spared
the requests that come meanwhile. First it is found out what a route can take, then the latencies
are measured at half of that.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx

from bench.contestants.holdfast import Holdfast
from bench.histories import Api, approve, ended_run, waiting_run
from bench.plan import Plan
from bench.ports import free_ports
from bench.processes import Processes, until
from holdfast_local.toolchain import ensure_tools

#: As many connections as keep two processes busy; more would only stand in line.
_WORKERS = 16
_SHARE = 0.5


def measure(holdfast: Holdfast, plan: Plan) -> Iterator[tuple[str, Any]]:
    """Yield what is measured and what measures it."""
    stack = holdfast.ground.stack
    token = stack.token("admin")
    api = Api(stack.api_url, token)
    seconds = plan.seconds

    def running(events: int) -> dict[str, float]:
        run, _seen = waiting_run(api, stack, events)
        return _both(f"status_running_{events}", f"{stack.api_url}/status/{run}", token, seconds)

    def ended_after(events: int) -> dict[str, float]:
        run, _seen = waiting_run(api, stack, events)
        approve(run, Api(stack.api_url, stack.token("approver")), api)
        return _both(f"status_ended_{events}", f"{stack.api_url}/status/{run}", token, seconds)

    def ended() -> dict[str, float]:
        run = ended_run(api)
        return _both("status_ended", f"{stack.api_url}/status/{run}", token, seconds)

    def bare() -> dict[str, float]:
        with _bare_flask(holdfast.running) as url:
            return _both("flask_bare", url, token, seconds)

    def starts() -> dict[str, float]:
        url = f"{stack.api_url}/workflows/request_escalation"
        return _both("start", url, token, seconds, body={"amount": 5000})

    yield "bare Flask route", bare
    yield "status of a run that has ended", ended
    yield "bare Flask route", bare
    for events in plan.histories:
        yield f"status of a run with {events:,} events", partial(running, events)
    longest = max(plan.histories)
    yield f"status of one that has ended, with {longest:,} events", partial(ended_after, longest)
    yield "starts", starts


def _both(name: str, url: str, token: str, seconds: float, body: Any = None) -> dict[str, float]:
    most = _attack(url, token, seconds, body, rate=0)
    open_loop = _attack(url, token, seconds, body, rate=max(1, int(most["throughput"] * _SHARE)))
    return {
        f"{name}_per_s": most["throughput"],
        f"{name}_open_p50_ms": open_loop["latencies"]["50th"] / 1e6,
        f"{name}_open_p99_ms": open_loop["latencies"]["99th"] / 1e6,
        f"{name}_failed": 1 - min(most["success"], open_loop["success"]),
    }


def _attack(url: str, token: str, seconds: float, body: Any, *, rate: int) -> dict[str, Any]:
    vegeta = ensure_tools(("vegeta",))["vegeta"]
    target: dict[str, Any] = {
        "method": "GET" if body is None else "POST",
        "url": url,
        "header": {"Authorization": [f"Bearer {token}"], "Content-Type": ["application/json"]},
    }
    if body is not None:
        target["body"] = base64.b64encode(json.dumps(body).encode()).decode()
    bounds = ("-workers", str(_WORKERS)) if rate else ("-max-workers", str(_WORKERS))
    attack = subprocess.run(
        [
            *(vegeta, "attack", "-format=json", f"-rate={rate}", f"-duration={seconds}s"),
            *(*bounds, "-timeout=30s", "-redirects=-1"),
        ],
        input=json.dumps(target).encode() + b"\n",
        capture_output=True,
        check=True,
    )
    report = subprocess.run(
        [vegeta, "report", "-type=json"], input=attack.stdout, capture_output=True, check=True
    )
    told: dict[str, Any] = json.loads(report.stdout)
    return told


@contextmanager
def _bare_flask(running: Processes) -> Iterator[str]:
    """Serve a route that answers a constant, as the status API is served: two gthread workers."""
    port = free_ports(("flask",))["flask"]
    name = f"flask-{port}"
    process = running.start(
        name,
        (
            *(sys.executable, "-m", "gunicorn", "--workers", "2", "--worker-class", "gthread"),
            *("--threads", "64", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"),
            *("--no-control-socket", "bench.bare:app"),
        ),
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        until(lambda: _answers(url), seconds=20, what="the bare route answers")
        yield url
    finally:
        process.terminate()
        process.wait()
        running.forget(name)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False
