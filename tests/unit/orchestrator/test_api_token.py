"""A sidecar that asks for a token is given it, by every client that the orchestrator has."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from holdfast_orchestrator.app import create_app
from holdfast_orchestrator.settings import OrchestratorSettings


class Sidecar(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Implements nothing, and remembers with which token each call came."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = []

    def service(self, details: Any) -> None:
        self.tokens.append(dict(details.invocation_metadata).get("dapr-api-token"))


@pytest.fixture
def sidecar() -> Iterator[tuple[Sidecar, int]]:
    handler = Sidecar()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, port
    server.stop(None)


def start_a_run(port: int, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK reads the same variable by itself, when it is imported.
    monkeypatch.setattr("dapr.conf.settings.DAPR_API_TOKEN", token or None)
    settings = OrchestratorSettings.model_validate(
        {"DAPR_GRPC_PORT": port, "DAPR_API_TOKEN": token}
    )
    app, _runtime = create_app(settings)
    body = {"workflow": "task_chain", "instance_id": "one", "input": 1}
    app.test_client().post("/instances", json=body)


def test_a_start_carries_the_sidecars_token(
    sidecar: tuple[Sidecar, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, port = sidecar

    start_a_run(port, "let-me-in", monkeypatch)

    assert handler.tokens
    assert set(handler.tokens) == {"let-me-in"}


def test_without_a_token_none_is_made_up(
    sidecar: tuple[Sidecar, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, port = sidecar

    start_a_run(port, "", monkeypatch)

    assert set(handler.tokens) == {None}
