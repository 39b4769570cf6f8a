from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS, WORKFLOWS
from holdfast_status_api import document


@pytest.fixture(scope="module")
def openapi(app: OpenAPI) -> dict[str, Any]:
    return document.build(app)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from nodes(item)


def test_every_reference_in_the_document_leads_somewhere(openapi: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(openapi) if isinstance(node.get("$ref"), str)}
    assert references
    there = {
        f"#/components/{kind}/{name}"
        for kind, parts in openapi["components"].items()
        for name in parts
    }
    assert references <= there


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
                    # The HTTP server itself refuses what it does not read to its end.
                    ours = "text/html" if code == "414" else "application/problem+json"
                    assert list(answer["content"]) == [ours]


def test_every_operation_needs_a_token_and_says_how_it_is_refused(openapi: dict[str, Any]) -> None:
    assert openapi["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for methods in openapi["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"token": []}]
            assert set(operation["responses"]) >= {"401", "403", "429"}


@pytest.mark.parametrize(
    ("operation", "status", "headers"),
    [
        ("post /workflows/{name}", "202", {"Location", "Retry-After"}),
        ("post /runs/{instance_id}/rerun", "202", {"Location", "Retry-After"}),
        ("post /runs/{instance_id}/terminate", "202", {"Location"}),
        ("post /runs/{instance_id}/events/{event}", "202", {"Location"}),
        ("post /bulk/{action}", "202", set()),
        ("post /certificates", "201", {"Location"}),
        ("get /status/{instance_id}", "200", {"ETag", "Retry-After", "Preference-Applied"}),
        ("get /status/{instance_id}", "304", {"ETag", "Retry-After", "Preference-Applied"}),
        ("get /status/{instance_id}", "404", set()),
    ],
)
def test_an_answer_says_which_headers_it_has(
    openapi: dict[str, Any], operation: str, status: str, headers: set[str]
) -> None:
    method, path = operation.split(" ")
    answer = openapi["paths"][path][method]["responses"][status]
    assert set(answer["headers"]) - {"RateLimit", "RateLimit-Policy"} == headers
    declared = openapi["components"]["headers"]
    assert all(declared[name]["schema"] for name in answer["headers"])


def test_every_answer_that_asks_to_come_back_says_that_it_tells_when(
    openapi: dict[str, Any],
) -> None:
    for methods in openapi["paths"].values():
        for operation in methods.values():
            for code in ("429", "503"):
                assert "Retry-After" in operation["responses"][code]["headers"]


def test_every_answer_tells_a_known_caller_the_budget_and_another_what_the_token_lacks(
    openapi: dict[str, Any],
) -> None:
    for methods in openapi["paths"].values():
        for operation in methods.values():
            for code, answer in operation["responses"].items():
                headers = answer.get("headers", {})
                told = {"RateLimit", "RateLimit-Policy"} <= set(headers)
                assert told == (code not in {"401", "414"})
                assert ("WWW-Authenticate" in headers) == (code in {"401", "403"})


def test_every_link_leads_to_an_operation_that_takes_what_it_gives(
    openapi: dict[str, Any],
) -> None:
    operations = [each for methods in openapi["paths"].values() for each in methods.values()]
    takes = {
        each["operationId"]: {item["name"] for item in each.get("parameters", [])}
        for each in operations
    }
    links = [
        link
        for each in operations
        for answer in each["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert links
    assert all(set(link["parameters"]) <= takes[link["operationId"]] for link in links)


def test_what_can_be_started_and_sent_is_named_in_the_paths(openapi: dict[str, Any]) -> None:
    names = {
        item["name"]: item["schema"].get("enum")
        for path in ("/workflows/{name}", "/runs/{instance_id}/events/{event}")
        for item in openapi["paths"][path]["post"]["parameters"]
    }
    assert names["name"] == sorted(PUBLIC_WORKFLOWS)
    assert names["event"] == ["cancel", "human_approval", "resume", "suspend"]


@pytest.mark.parametrize("path", sorted(document.WISHES))
def test_an_action_says_what_its_body_may_hold_and_that_it_may_be_left_out(
    openapi: dict[str, Any], path: str
) -> None:
    body = openapi["paths"][path]["post"]["requestBody"]
    assert body["required"] is False
    name = document.WISHES[path].__name__
    assert body["content"]["application/json"]["schema"]["anyOf"] == [
        {"$ref": f"#/components/schemas/{name}"}
    ]
