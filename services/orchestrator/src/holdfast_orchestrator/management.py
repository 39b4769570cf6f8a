"""The management API: start, look at and manage runs. Reached by Dapr service invocation only."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast_contracts.core import InstanceId, RaisedEvent
from holdfast_orchestrator import memory
from holdfast_orchestrator.gateway import (
    EngineGateway,
    EngineUnavailableError,
    EventNotRerunnableError,
    InstanceExistsError,
    InstanceFinishedError,
    InstanceUnreadableError,
    NoSuchInstanceError,
)
from holdfast_servicekit import logs
from holdfast_servicekit.problems import Problem
from holdfast_servicekit.sidecar import Sidecar

M = TypeVar("M", bound=BaseModel)

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the header's name, not a token
DEFAULT_PAGE = 100
LARGEST_PAGE = 1000

_REQUESTS = Counter(
    "holdfast_management_requests_total",
    "Requests to the management API by operation and status code.",
    ("operation", "code"),
)


class StartRequest(BaseModel):
    """Which workflow to start, under which ID, with what input, and when."""

    model_config = ConfigDict(extra="forbid")

    workflow: str
    instance_id: InstanceId
    input: Any = None
    start_at: datetime | None = None


class RerunRequest(BaseModel):
    """From which event of the history to run again, and under which ID."""

    model_config = ConfigDict(extra="forbid")

    event_id: int = Field(ge=0, lt=2**32)
    new_instance_id: InstanceId


def blueprint(
    gateway: EngineGateway, sidecar: Sidecar, app_token: str, worker_app_id: str
) -> Blueprint:
    """Offer the engine to callers that come through our own sidecar.

    The sidecar adds the app's token to every call that it lets in (Dapr docs, "App API token").
    """
    pages = Blueprint("management", __name__)

    _guard(pages, app_token)
    _register_starts_and_reads(pages, gateway, worker_app_id)
    _register_actions(pages, gateway)
    memory.register(pages, sidecar)
    _register_refusals(pages)
    return pages


def _guard(pages: Blueprint, app_token: str) -> None:
    @pages.before_request
    def authenticate() -> None:
        given = request.headers.get(TOKEN_HEADER, "")
        if app_token and not hmac.compare_digest(given.encode(), app_token.encode()):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "Unauthorized",
                "Call this API through the Dapr sidecar; it adds the app's token.",
            )

    @pages.after_request
    def count(response: Response) -> Response:
        _REQUESTS.labels(request.endpoint, response.status_code).inc()
        return response


def _register_starts_and_reads(
    pages: Blueprint, gateway: EngineGateway, worker_app_id: str
) -> None:
    @pages.post("/instances")
    def start() -> ResponseReturnValue:
        wanted = _parse(StartRequest)
        logs.bind(instance_id=wanted.instance_id)  # the path does not name it
        gateway.start(wanted.workflow, wanted.instance_id, wanted.input, wanted.start_at)
        return jsonify(instance_id=wanted.instance_id, status="PENDING"), HTTPStatus.CREATED

    @pages.get("/instances")
    def instances() -> ResponseReturnValue:
        size = request.args.get("page_size", default=DEFAULT_PAGE, type=int)
        token = request.args.get("continuation_token")
        ids, following = gateway.instance_ids(max(1, min(size, LARGEST_PAGE)), token)
        return jsonify(instance_ids=ids, continuation_token=following)

    @pages.get("/instances/<instance_id>")
    def instance(instance_id: str) -> ResponseReturnValue:
        state = gateway.state(instance_id)
        if state is None:
            raise NoSuchInstanceError
        return jsonify(state)

    @pages.get("/instances/<instance_id>/history")
    def history(instance_id: str) -> ResponseReturnValue:
        return jsonify(events=gateway.history(instance_id))

    @pages.get("/instances/<instance_id>/recording")
    def recording(instance_id: str) -> ResponseReturnValue:
        return jsonify(gateway.recording(instance_id, worker_app_id).model_dump())


def _register_actions(pages: Blueprint, gateway: EngineGateway) -> None:
    @pages.post("/instances/<instance_id>/events/<name>")
    def raise_event(instance_id: str, name: str) -> ResponseReturnValue:
        event = _parse(RaisedEvent)
        gateway.raise_event(instance_id, name, event.model_dump(mode="json"))
        return jsonify(event_id=event.event_id), HTTPStatus.ACCEPTED

    @pages.post("/instances/<instance_id>/terminate")
    def terminate(instance_id: str) -> ResponseReturnValue:
        gateway.terminate(instance_id)
        return jsonify(instance_id=instance_id), HTTPStatus.ACCEPTED

    @pages.post("/instances/<instance_id>/wake")
    def wake(instance_id: str) -> ResponseReturnValue:
        return jsonify(woken=gateway.wake(instance_id))

    @pages.post("/instances/<instance_id>/rearm")
    def rearm(instance_id: str) -> ResponseReturnValue:
        return jsonify(asdict(gateway.rearm(instance_id)))

    @pages.post("/instances/<instance_id>/rerun")
    def rerun(instance_id: str) -> ResponseReturnValue:
        wanted = _parse(RerunRequest)
        gateway.rerun(instance_id, wanted.event_id, wanted.new_instance_id)
        return jsonify(instance_id=wanted.new_instance_id, status="PENDING"), HTTPStatus.CREATED

    @pages.delete("/instances/<instance_id>")
    def purge(instance_id: str) -> ResponseReturnValue:
        gateway.purge(instance_id)
        return "", HTTPStatus.NO_CONTENT


def _parse(model: type[M]) -> M:
    try:
        return model.model_validate(request.get_json())
    except ValidationError as error:
        problems = [
            {"pointer": "/" + "/".join(map(str, item["loc"])), "detail": item["msg"]}
            for item in error.errors(include_url=False)
        ]
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request", errors=problems
        ) from error


def _register_refusals(pages: Blueprint) -> None:
    @pages.errorhandler(NoSuchInstanceError)
    def missing(_error: NoSuchInstanceError) -> Response:
        return Problem(HTTPStatus.NOT_FOUND, "No such instance").response()

    @pages.errorhandler(InstanceExistsError)
    def exists(error: InstanceExistsError) -> Response:
        return Problem(HTTPStatus.CONFLICT, "The instance exists", instance=error.state).response()

    @pages.errorhandler(InstanceUnreadableError)
    def unreadable(error: InstanceUnreadableError) -> Response:
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "The instance cannot be read", str(error)
        ).response()

    @pages.errorhandler(EventNotRerunnableError)
    def not_rerunnable(error: EventNotRerunnableError) -> Response:
        return Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "Nothing can run again from that event", str(error)
        ).response()

    @pages.errorhandler(InstanceFinishedError)
    def finished(_error: InstanceFinishedError) -> Response:
        return Problem(HTTPStatus.CONFLICT, "The instance has finished").response()

    @pages.errorhandler(EngineUnavailableError)
    def unavailable(error: EngineUnavailableError) -> Response:
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The workflow engine is not available",
            str(error),
            headers={"Retry-After": "1"},
        ).response()
