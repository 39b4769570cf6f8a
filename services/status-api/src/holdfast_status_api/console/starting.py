"""Start a workflow by a form; what is wrong with the input is said beside it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import INSTANCE_ID_PATTERN, Workflow
from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents
from holdfast_status_api.acceptance import Terms, accept_run
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.console.acting import done, form_key
from holdfast_status_api.console.frame import Console, page

_POSSIBLE_ID = re.compile(INSTANCE_ID_PATTERN)
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
}


@dataclass(frozen=True)
class Field:
    """A member of an input, or the input itself, in words."""

    name: str
    kind: str
    required: bool
    bounds: str


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.get("/start")
    def start() -> Response:
        return page("start.html", flows=list(PUBLIC_WORKFLOWS.values()))

    @pages.get("/start/<name>")
    def form(name: str) -> Response:
        return _form(_flow(name))

    @pages.post("/start/<name>")
    def accept(name: str) -> AnyResponse:
        """Accept the run, or show the form again with what is wrong beside each field."""
        flow = _flow(name)
        faults: dict[str, list[str]] = {}
        document: Any = None
        try:
            document = documents.parse(_input(console.settings.largest_document_bytes))
            documents.validate(flow.input, document)
        except Problem as problem:
            faults["input"] = list(_told(problem))
        instance_id = request.form.get("instance_id", "").strip() or None
        if instance_id is not None and not _POSSIBLE_ID.fullmatch(instance_id):
            faults["instance_id"] = ["must have 1 to 64 letters, digits, _ or -"]
        moments = {name: _moment(name, faults) for name in ("start_at", "deadline")}
        terms = Terms(start_at=moments["start_at"], deadline=moments["deadline"])
        if (late := terms.fault_of_deadline()) is not None:
            faults["deadline"] = [late]
        if faults:
            return _form(flow, HTTPStatus.UNPROCESSABLE_ENTITY, faults)
        try:
            run = accept_run(
                console.engine,
                flow,
                document,
                instance_id=instance_id,
                idempotency_key=form_key(),
                requested_by=caller().subject,
                terms=terms,
            )
        except Problem as problem:
            if problem.status == HTTPStatus.CONFLICT:
                return _form(flow, problem.status, {"instance_id": list(_told(problem))})
            raise
        console.background.run_accepted()
        return done("start", run.instance_id)


def _input(largest_bytes: int) -> bytes:
    raw = request.form.get("input", "").encode("utf-8", "surrogatepass")
    if len(raw) > largest_bytes:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "Content Too Large",
            f"The input may have {largest_bytes} bytes.",
        )
    return raw


def _flow(name: str) -> Workflow[Any, Any]:
    flow = PUBLIC_WORKFLOWS.get(name)
    if flow is None:
        known = ", ".join(PUBLIC_WORKFLOWS)
        raise Problem(HTTPStatus.NOT_FOUND, "No such workflow", f"The workflows are: {known}.")
    return flow


def _form(
    flow: Workflow[Any, Any],
    status: int = HTTPStatus.OK,
    faults: Mapping[str, list[str]] | None = None,
) -> Response:
    schema = flow.input.model_json_schema()
    example = json.dumps(_example(schema, schema), indent=2)
    return page(
        "form.html",
        status,
        flow=flow,
        description=_description(schema),
        fields=list(_fields(schema)),
        schema=json.dumps(schema, indent=2),
        faults=faults or {},
        values={"input": example} | request.form.to_dict(),
        key=uuid.uuid4().hex,
    )


def _told(problem: Problem) -> Iterator[str]:
    errors = problem.body.get("errors") or []
    for error in errors:
        place = error.get("pointer")
        yield f"{place}: {error['detail']}" if place else str(error["detail"])
    if not errors:
        yield str(problem.body.get("detail") or problem.body["title"])


def _moment(name: str, faults: dict[str, list[str]]) -> datetime | None:
    text = request.form.get(name, "").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        faults[name] = ["must be a date and a time"]
        return None
    return moment


def _description(schema: Mapping[str, Any]) -> str:
    found = [schema, *schema.get("anyOf", [])]
    return next((text for part in found if (text := part.get("description"))), "")


def _fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the whole input's forms, then the members of the one that is an object."""
    for form in schema.get("anyOf", [schema]):
        if "properties" not in form:
            yield Field("", _kind(form, schema), required=False, bounds=_bounds(form))
    for form in schema.get("anyOf", [schema]):
        for name, member in form.get("properties", {}).items():
            yield Field(
                name,
                _kind(member, schema),
                required=name in form.get("required", []),
                bounds=_bounds(member),
            )


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(form, root) for form in schema["anyOf"])
    schema = _resolved(schema, root)
    return str(schema.get("type", "any value"))


def _bounds(schema: Mapping[str, Any]) -> str:
    told = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    if "default" in schema:
        told.append(f"{json.dumps(schema['default'])} if left out")
    return ", ".join(told)


def _example(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return a value to begin with: what is required, empty or as small as it may be."""
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        objects = [form for form in schema["anyOf"] if form.get("required")]
        return _example((objects or schema["anyOf"])[0], root)
    if "properties" in schema:
        members = schema["properties"]
        return {name: _example(members[name], root) for name in schema.get("required", [])}
    if schema.get("type") in {"integer", "number"}:
        return max(1, int(schema.get("minimum", 1)))
    return {"string": "", "boolean": True, "array": []}.get(str(schema.get("type")))


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: Mapping[str, Any] = root["$defs"][reference.rpartition("/")[2]]
    return found
