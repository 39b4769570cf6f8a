"""The API does what its own OpenAPI document says: every operation, and one after the other."""

from __future__ import annotations

import copy
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tests.integration.status_api.service import Service

pytestmark = pytest.mark.integration

START = "/workflows/{name}"
#: Of what one operation promises by itself.
PROMISES: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    ignored_auth,
]
#: Of what several do, one after the other.
SEQUELS = [*PROMISES[:-2], ensure_resource_availability, use_after_free]
#: Here nobody is an orchestrator: what only the engine knows is a 503, as the document says.
CONFIGURATION: dict[str, Any] = {
    "checks": {
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
        "negative_data_rejection": {"expected-statuses": ["4xx"]},
    },
    "generation": {"database": "none"},
}
#: The same requests every time, and as many as a minute allows.
BOUNDS = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LIVES = settings(BOUNDS, max_examples=80, stateful_step_count=10, phases=[Phase.generate])


@pytest.fixture(scope="module")
def told(service: Service) -> dict[str, Any]:
    """Give what the service says of itself, without what holds an answer on purpose."""
    body: dict[str, Any] = httpx.get(
        f"{service.url}/openapi.json", timeout=30, trust_env=False
    ).json()
    del body["paths"]["/runs/{instance_id}/stream"]
    status = body["paths"]["/status/{instance_id}"]["get"]
    status["parameters"] = [item for item in status["parameters"] if item["name"] != "Prefer"]
    return body


@pytest.fixture(scope="module")
def document(told: dict[str, Any], service: Service) -> OpenApiSchema:
    """Give all of it, to be asked rightly and wrongly."""
    config = schemathesis.Config.from_dict({**CONFIGURATION, "base-url": service.url})
    return schemathesis.openapi.from_dict(told, config=config)


@pytest.fixture(scope="module")
def lives(told: dict[str, Any], service: Service) -> OpenApiSchema:
    """Give what there is to do with trips that nobody starts: there, an end comes at once."""
    body = copy.deepcopy(told)
    body["paths"] = {
        path: methods
        for path, methods in body["paths"].items()
        if path == START or "{instance_id}" in path
    }
    start = body["paths"][START]["post"]
    trip = {"$ref": "#/components/schemas/BookTripInput"}
    start["requestBody"]["content"]["application/json"]["schema"] = trip
    start["parameters"] = [
        _only("name", "path", "book_trip"),
        _only("start_at", "query", "2090-01-01T00:00:00Z"),
    ]
    # What is answered must not hang on earlier walks, nor on how fast the outbox is.
    del body["components"]["schemas"]["Rerun"]["properties"]["instance_id"]
    again = body["paths"]["/runs/{instance_id}/rerun"]["post"]
    del again["responses"]["202"]["links"]
    again["parameters"] = [item for item in again["parameters"] if item["in"] == "path"]
    generation = {**CONFIGURATION["generation"], "mode": "positive"}
    config = {**CONFIGURATION, "generation": generation, "base-url": service.url}
    return schemathesis.openapi.from_dict(body, config=schemathesis.Config.from_dict(config))


def _only(name: str, place: str, value: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": [value]}
    return {"name": name, "in": place, "required": True, "schema": schema}


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: what is collected in the middle of an ``ast.parse`` may parse,
    too, and CPython 3.11 takes that for an error of its own (gh-106905).
    """
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def _named(request: pytest.FixtureRequest) -> None:
    """Put the test's name where Schemathesis looks for it; pytest has it elsewhere since 9.2."""
    request.node._nodeid = request.node.nodeid  # noqa: SLF001


def bearer(service: Service) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.tokens['admin']}"}


@schemathesis.pytest.from_fixture("document").parametrize()
@BOUNDS
def test_every_operation_keeps_what_the_document_says(case: Case[Any], service: Service) -> None:
    case.call_and_validate(headers=bearer(service), checks=PROMISES, timeout=20)


def test_what_follows_an_answer_keeps_it_too(lives: OpenApiSchema, service: Service) -> None:
    seen: Counter[tuple[str, int]] = Counter()

    class Life(lives.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"headers": bearer(service), "timeout": 20}

        def validate_response(self, response: Any, case: Case[Any], **_: Any) -> None:
            seen[case.operation.label, response.status_code] += 1
            case.validate_response(response, checks=SEQUELS, recorder=self.recorder)

    Life.run(settings=LIVES)
    # The links lead somewhere: from a start to an end, and to what is left after that.
    assert {
        (f"POST {START}", 202),
        ("POST /runs/{instance_id}/cancel", 202),
        ("POST /runs/{instance_id}/terminate", 202),
        ("POST /runs/{instance_id}/rerun", 202),
        ("DELETE /runs/{instance_id}", 204),
        ("GET /status/{instance_id}", 200),
    } <= set(seen), seen
