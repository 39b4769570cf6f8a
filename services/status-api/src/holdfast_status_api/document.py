"""The API's own description: OpenAPI 3.1 at /openapi.json, readable at /docs."""

from __future__ import annotations

from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, send_from_directory
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND
from holdfast_servicekit.problems import MEDIA_TYPE
from holdfast_status_api import approvals, links, response_headers
from holdfast_status_api.answers import ProblemAnswer
from holdfast_status_api.auth.permissions import rule_for
from holdfast_status_api.certificates import Deposit
from holdfast_status_api.webhooks.requests import Redelivery, Subscription
from holdfast_status_api.wishes import Confirmation, Reason, Rerun

INFO = Info(
    title="Holdfast status API",
    version="1.0.0",
    description="Start durable workflows, look at them, and send them events."
    " What is answered with 202 is stored before the answer.",
)
#: The bodies that operators may send with an action.
WISHES: dict[str, type[BaseModel]] = {
    **{
        f"/runs/{{instance_id}}/{action}": Reason
        for action in ("suspend", "resume", "cancel", "terminate", "repair")
    },
    "/runs/{instance_id}/rerun": Rerun,
    "/bulk/{action}": Confirmation,
}
_REFERENCE = "#/components/schemas/{model}"
#: Swagger UI's files come in a Python package: the page loads nothing from elsewhere.
_SWAGGER = Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def answers(
    success: dict[HTTPStatus, type[BaseModel]], *refusals: HTTPStatus
) -> dict[str | int, Any]:
    """Return what an operation answers: models where it does its work, problems where not.

    Every operation that stores or reads can also find the database away.
    """
    refused = (*refusals, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
    return {
        **{int(code): model for code, model in success.items()},
        **{int(code): _refused(code) for code in refused},
    }


def build(app: OpenAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made from the models that validate."""
    document: dict[str, Any] = app.api_doc
    inputs: list[type[BaseModel]] = [flow.input for flow in PUBLIC_WORKFLOWS.values()]
    declared = {event.name: event for flow in PUBLIC_WORKFLOWS.values() for event in flow.events}
    data: list[type[BaseModel]] = [
        approvals.body_of(event) for event in (*declared.values(), SUSPEND, RESUME)
    ]
    models: list[type[BaseModel]] = [*inputs, *data, ProblemAnswer, Subscription, Redelivery]
    models += [Reason, Rerun, Confirmation, Deposit]
    _, definitions = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=_REFERENCE,
    )
    document["components"]["schemas"].update(definitions["$defs"])
    paths = document["paths"]
    paths["/workflows/{name}"]["post"]["requestBody"] = _body("application/json", _any_of(inputs))
    paths["/runs/{instance_id}/events/{event}"]["post"]["requestBody"] = _body(
        "application/json", _any_of(data)
    )
    paths["/batches"]["post"]["requestBody"] = _body(
        "text/csv", {"type": "string", "examples": ["origin,destination\nJFK,LHR\n"]}
    )
    paths["/webhooks"]["post"]["requestBody"] = _body("application/json", _any_of([Subscription]))
    paths["/webhooks/{webhook_id}/dead-letters/redeliver"]["post"]["requestBody"] = {
        **_body("application/json", _any_of([Redelivery])),
        "required": False,
    }
    paths["/certificates"]["post"]["requestBody"] = _body("application/json", _any_of([Deposit]))
    for path, wish in WISHES.items():
        body = _body("application/json", _any_of([wish]))
        paths[path]["post"]["requestBody"] = {**body, "required": False}
    links.connect(document)
    _secure(document)
    _bounded(document)
    response_headers.declare(document)
    return document


def blueprint(app: OpenAPI) -> Blueprint:
    """Serve the document, and a page that shows it."""
    pages = Blueprint("document", __name__, template_folder="templates")
    cache: dict[str, Any] = {}

    @pages.get("/openapi.json")
    def openapi() -> Response:
        if not cache:
            cache.update(build(app))
        return jsonify(cache)

    @pages.get("/docs")
    def docs() -> Response:
        page = Response(render_template("docs.html", title=INFO.title))
        page.headers["Content-Security-Policy"] = _POLICY
        return page

    @pages.get("/docs/start.js")
    def start() -> Response:
        return send_from_directory(Path(__file__).parent / "templates", "start.js")

    @pages.get("/docs/assets/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(_SWAGGER, name, max_age=86400)

    return pages


def _secure(document: dict[str, Any]) -> None:
    """Say of every operation that needs a token that it does, and how it is refused."""
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Static, or of the issuer."}
    }
    refusals = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rule = rule_for(method.upper(), path, {})
            if rule is None or not rule.public:
                operation["security"] = [{"token": []}]
                for code in refusals:
                    operation["responses"].setdefault(str(int(code)), _refused(code))


def _bounded(document: dict[str, Any]) -> None:
    """Say of every operation that its address has a limit: the server's, with a page of its own."""
    code = HTTPStatus.REQUEST_URI_TOO_LONG
    for methods in document["paths"].values():
        for operation in methods.values():
            too_long = {"description": code.phrase, "content": {"text/html": {}}}
            operation["responses"].setdefault(str(int(code)), too_long)


def _refused(code: HTTPStatus) -> dict[str, Any]:
    problem = {"$ref": _REFERENCE.format(model=ProblemAnswer.__name__)}
    return {"description": code.phrase, "content": {MEDIA_TYPE: {"schema": problem}}}


def _any_of(models: list[type[BaseModel]]) -> dict[str, Any]:
    return {"anyOf": [{"$ref": _REFERENCE.format(model=model.__name__)} for model in models]}


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": schema}}}
