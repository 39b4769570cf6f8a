"""A stack as the harness sees it: what can be struck, and who can be asked what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from holdfast_chaos.engine import EngineReader
from holdfast_chaos.targets.processes import Processes
from holdfast_local.identity import SERVICES
from holdfast_local.programs import SIDECARS
from holdfast_local.stack import Stack

_ASK_SECONDS = 5.0


def target_of(stack: Stack) -> Processes:
    """Return the stack's processes as a target, each with what answers when it serves."""
    ports = stack.ports

    def at(port: str, path: str) -> str:
        return f"http://127.0.0.1:{ports[port]}{path}"

    probes: dict[str, str | None] = {
        **{service: at(service, "/readyz") for service in SERVICES},
        **{sidecar: at(f"{sidecar}-http", "/v1.0/healthz") for sidecar in SIDECARS},
        "placement": at("placement-healthz", "/healthz"),
        "scheduler": at("scheduler-healthz", "/healthz"),
        "postgres": None,
    }
    sessions = {"activity-worker": f"{stack.app_ids['activity-worker']}/"}
    return Processes(stack, probes, sessions)


@contextmanager
def engine_of(stack: Stack) -> Iterator[EngineReader]:
    """Open a way to ask the engine, through the orchestrator's own port."""
    with httpx.Client(
        base_url=stack.orchestrator_url,
        headers={"dapr-api-token": stack.identity.secrets.app_token},
        timeout=_ASK_SECONDS,
        trust_env=False,
    ) as client:
        yield EngineReader(client)


def etcd_url(stack: Stack) -> str:
    """Return where the scheduler's etcd answers."""
    return f"http://127.0.0.1:{stack.ports['scheduler-etcd-client']}"
