"""``/webhooks``: who is told of what becomes of runs, and what could not be told."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar, cast

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from holdfast_servicekit.problems import Problem
from holdfast_status_api import bodies, documents
from holdfast_status_api.answers import Answer
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.document import answers
from holdfast_status_api.documents import Fault
from holdfast_status_api.settings import Settings
from holdfast_status_api.webhooks import couriers, subscriptions
from holdfast_status_api.webhooks.addresses import RefusedAddressError, check
from holdfast_status_api.webhooks.requests import Redelivery, Subscription
from holdfast_status_api.webhooks.subscriptions import Webhook

M = TypeVar("M", bound=BaseModel)

_LARGEST_BODY = 64 * 1024
_MOST_DEAD_LETTERS = 200


class WebhookPath(BaseModel):
    """Which webhook. A path with anything that cannot be an ID is a webhook never seen."""

    webhook_id: str


class WebhookAnswer(Answer):
    """A subscription."""

    webhook_id: str
    url: str
    types: list[str]
    created_by: str
    created_at: datetime
    waiting: int = Field(description="Events that have not arrived yet.")
    dead: int = Field(description="Events that were given up.")


class NewWebhookAnswer(WebhookAnswer):
    """A new subscription, with its secret: it is never shown again."""

    secret: str


class WebhooksAnswer(Answer):
    """All subscriptions."""

    webhooks: list[WebhookAnswer]


class DeadLetterAnswer(Answer):
    """A lifecycle event that was given up for this webhook."""

    event_id: str
    type: str
    instance_id: str
    occurred_at: datetime
    attempts: int
    dead_at: datetime
    last_error: str
    data: dict[str, Any]


class DeadLettersAnswer(Answer):
    """What was given up, at most the first 200."""

    dead_letters: list[DeadLetterAnswer]


class RedeliveryAnswer(Answer):
    """How many dead letters will be tried again."""

    redelivering: int


def api(settings: Settings, engine: Engine) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("webhooks", __name__)
    rules = couriers.rules(settings)

    @routes.post(
        "/webhooks",
        summary="Subscribe a webhook to lifecycle events",
        responses=answers(
            {HTTPStatus.CREATED: NewWebhookAnswer},
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    )
    def create() -> Response:
        """Take a URL, types and a secret; the secret is in this answer and in no other."""
        wanted = _parse(Subscription)
        try:
            check(wanted.url, rules)
        except RefusedAddressError as error:
            raise documents.unprocessable([Fault("/url", str(error))]) from error
        hook, secret = subscriptions.subscribe(
            engine, wanted.url, wanted.types, wanted.secret, caller().subject
        )
        return NewWebhookAnswer(**_fields(hook), secret=secret).response(HTTPStatus.CREATED)

    @routes.get(
        "/webhooks",
        summary="List the webhooks",
        responses=answers({HTTPStatus.OK: WebhooksAnswer}),
    )
    def listed() -> Response:
        """Return all subscriptions, with what waits and what was given up."""
        hooks = [WebhookAnswer(**_fields(hook)) for hook in subscriptions.subscriptions(engine)]
        return WebhooksAnswer(webhooks=hooks).response()

    @routes.delete(
        "/webhooks/<webhook_id>",
        summary="Remove a webhook",
        responses={**answers({}, HTTPStatus.NOT_FOUND), 204: {"description": "Removed"}},
    )
    def remove(path: WebhookPath) -> Response:
        """End a subscription; what waits for it is dropped."""
        if not subscriptions.unsubscribe(engine, path.webhook_id):
            raise _unknown()
        return Response(status=HTTPStatus.NO_CONTENT)

    @routes.get(
        "/webhooks/<webhook_id>/dead-letters",
        summary="List what was given up",
        responses=answers({HTTPStatus.OK: DeadLettersAnswer}, HTTPStatus.NOT_FOUND),
    )
    def dead(path: WebhookPath) -> Response:
        """Return the events that did not arrive in all their attempts, the oldest first."""
        found = subscriptions.dead_letters(engine, path.webhook_id, _MOST_DEAD_LETTERS)
        if found is None:
            raise _unknown()
        letters = [DeadLetterAnswer(**vars(letter)) for letter in found]
        return DeadLettersAnswer(dead_letters=letters).response()

    @routes.post(
        "/webhooks/<webhook_id>/dead-letters/redeliver",
        summary="Try again what was given up",
        responses=answers(
            {HTTPStatus.ACCEPTED: RedeliveryAnswer},
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    )
    def redeliver(path: WebhookPath) -> Response:
        """Give the dead letters, all or those named, a new round of attempts."""
        # Bytes without a length come in chunks; a body may also be left out.
        sent = request.content_length or "Transfer-Encoding" in request.headers
        wanted = _parse(Redelivery) if sent else Redelivery()
        count = subscriptions.redeliver(engine, path.webhook_id, wanted.event_ids)
        if count is None:
            raise _unknown()
        return RedeliveryAnswer(redelivering=count).response(HTTPStatus.ACCEPTED)

    return routes


def _parse(model: type[M]) -> M:
    document = bodies.read_json(_LARGEST_BODY)
    return cast("M", documents.validate(model, document))


def _unknown() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "No such webhook")


def _fields(hook: Webhook) -> dict[str, Any]:
    return {**vars(hook), "types": list(hook.types)}
