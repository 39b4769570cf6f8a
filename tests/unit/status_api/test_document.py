from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS, WORKFLOWS
from holdfast_status_api import document
from holdfast_status_api.app import create_app
from holdfast_status_api.auth.authenticator import Authenticator
from holdfast_status_api.auth.tokens import TokenFile
from holdfast_status_api.background import Background
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.settings import Settings


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = Settings(database_url="postgresql+psycopg://nobody@127.0.0.1/nothing")
    engine = create_engine(settings.database_url)  # connects when it is first used: here, never
    orchestrator = Orchestrator(settings)
    background = Background(settings, engine, orchestrator)
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.json"
    tokens.write_text(json.dumps([{"subject": "ada", "role": "viewer", "sha256": "0" * 64}]))
    authenticator = Authenticator(TokenFile(tokens), None)
    return document.build(create_app(settings, engine, orchestrator, background, authenticator))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from nodes(item)


def test_every_reference_in_the_document_leads_somewhere(openapi: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(openapi) if isinstance(node.get("$ref"), str)}
    assert references
    schemas = openapi["components"]["schemas"]
    assert not {
        ref for ref in references if ref.removeprefix("#/components/schemas/") not in schemas
    }


def test_the_document_lists_the_core_routes(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")
    assert {(path, method) for path, methods in openapi["paths"].items() for method in methods} >= {
        ("/workflows", "get"),
        ("/workflows/{name}", "post"),
        ("/status/{instance_id}", "get"),
        ("/runs/{instance_id}/events", "get"),
        ("/runs/{instance_id}/events/{event}", "post"),
        ("/batches", "post"),
    }


def test_every_input_that_is_offered_has_its_schema_in_the_document(
    openapi: dict[str, Any],
) -> None:
    body = openapi["paths"]["/workflows/{name}"]["post"]["requestBody"]
    offered = {ref["$ref"] for ref in body["content"]["application/json"]["schema"]["anyOf"]}
    assert offered == {
        f"#/components/schemas/{flow.input.__name__}" for flow in PUBLIC_WORKFLOWS.values()
    }
    internal = {flow.input.__name__ for flow in WORKFLOWS.values() if flow.internal}
    assert not internal & set(openapi["components"]["schemas"])


def test_every_refusal_is_a_problem(openapi: dict[str, Any]) -> None:
    for methods in openapi["paths"].values():
        for operation in methods.values():
            for code, answer in operation["responses"].items():
                if int(code) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"]
